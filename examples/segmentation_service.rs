//! A service that labels the points of clouds, and two clients of it, one of which is killed.
//!
//! Run it with `cargo run --example segmentation_service`. It starts the server and the clients as
//! processes of their own, and says what they see.

#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use io_shared::{ErrorKind, Message, Service};

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    #[message(unit = "m")]
    x: f32,
    #[message(unit = "m")]
    y: f32,
    #[message(unit = "m")]
    z: f32,
}

type Segmentation = Service<[Point], [u16]>;

const GROUND: u16 = 1;
const OBJECT: u16 = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => demonstrate(),
        [role, name] if role == "server" => serve(name),
        [role, name, clouds] if role == "client" => ask(name, clouds.parse()?),
        _ => Err("usage: segmentation_service".into()),
    }
}

/// The server: labels clouds until it is killed.
fn serve(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Segmentation::named(name).server()?;
    println!("the server is ready");
    loop {
        let (cloud, mut reply) = server.next()?.into_parts();
        let mut labels = reply.loan_len(cloud.len())?; // filled where it will lie
        for (label, point) in labels.iter_mut().zip(&*cloud) {
            *label = if point.z < 0.2 { GROUND } else { OBJECT };
        }
        labels.put()?;
    }
}

/// A client: has clouds labelled, and says how many of their points are objects.
fn ask(name: &str, clouds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut client = Segmentation::named(name).client()?;
    for size in 1..=clouds {
        let cloud: Vec<Point> = (0..100 * size)
            .map(|at| Point {
                x: at as f32,
                y: size as f32,
                z: if at % 4 == 0 { 1.5 } else { 0.0 },
            })
            .collect();
        let labels = client.call(&cloud, Duration::from_secs(10))?;
        let objects = labels.iter().filter(|label| **label == OBJECT).count();
        println!("{objects} of {} points are objects", labels.len());
    }
    loop {
        std::thread::park(); // until it is killed
    }
}

/// Starts another process of this program.
fn start(arguments: &[&str]) -> std::io::Result<(Child, impl Iterator<Item = String> + use<>)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
    let lines = child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines());
    Ok((child, lines.map_while(Result::ok)))
}

fn kill(mut child: Child) -> std::io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

fn demonstrate() -> Result<(), Box<dyn std::error::Error>> {
    let name = &format!("/segmentation_service-{}", std::process::id());
    let (server, mut said) = start(&["server", name])?;
    println!("{}", said.next().ok_or("no server")?);

    let (first, mut its) = start(&["client", name, "2"])?;
    for _ in 0..2 {
        println!("first client: {}", its.next().ok_or("no answer")?);
    }
    kill(first)?;
    println!("the first client was killed");

    let (second, mut its) = start(&["client", name, "3"])?;
    for _ in 0..3 {
        println!("second client: {}", its.next().ok_or("no answer")?);
    }

    kill(server)?;
    println!("the server was killed");
    let mut client = Segmentation::named(name).client()?;
    let lone = [Point { x: 0.0, y: 0.0, z: 0.0 }];
    match client.call(&lone, Duration::from_millis(100)) {
        Err(error) if matches!(error.kind(), ErrorKind::NoProducer { .. }) => {
            println!("nobody answers");
        }
        other => return Err(format!("{other:?} without a server").into()),
    }
    client.ask(&lone)?;
    let (server, _said) = start(&["server", name])?; // the question waits for it
    println!("a new server: the label is {}", client.answer(Duration::from_secs(10))?[0]);
    kill(second)?;
    kill(server)?;
    drop(client);
    drop(Segmentation::named(name).client()?); // this start removes what the killed ones have left
    Ok(())
}
