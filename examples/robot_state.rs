//! A robot's state that displays wait for: one program writes it, and others sleep until it has.
//!
//! `cargo run --example robot_state` starts two displays, which wait for the robot, and then the
//! robot. One display is killed while it waits. The robot notices nothing, and the other display
//! shows where it parks.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use io_shared::{Message, Shared};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Debug, Clone, Copy, Message)]
#[repr(C)]
struct Robot {
    x: f64,
    y: f64,
    battery: f32,
    parked: bool,
    _pad: [u8; 3],
}

const HOME: Robot = Robot { x: 0.0, y: 0.0, battery: 1.0, parked: false, _pad: [0; 3] };
/// Longer than a robot is silent.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => tell_the_story(),
        ["display", name] => display(name),
        _ => Err("usage: robot_state".into()),
    }
}

/// The robot: it drives, and parks.
fn drive(name: &str) -> Result<()> {
    let mut state = Shared::<Robot>::named(name).initial(&HOME).open()?;
    for _ in 0..100 {
        state.update(|robot| {
            robot.x += 0.05;
            robot.y += 0.02;
            robot.battery -= 0.002;
        })?;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(state.update(|robot| robot.parked = true)?)
}

/// A display: it shows where it finds the robot at first, and where the robot parks.
fn display(name: &str) -> Result<()> {
    let mut state = Shared::<Robot>::named(name).initial(&HOME).open()?;
    println!("waits for the robot, which is at {}", at(&state.get()?));
    loop {
        state.wait_changed(PATIENCE)?;
        let robot = state.get()?; // the newest: a slow display skips some
        if robot.parked {
            println!("the robot has parked at {}", at(&robot));
            return Ok(());
        }
    }
}

fn at(robot: &Robot) -> String {
    format!("({:.1}, {:.1}), battery {:.0} %", robot.x, robot.y, robot.battery * 100.0)
}

fn tell_the_story() -> Result<()> {
    let name = format!("/robot_state-{}", std::process::id());
    let told = tell_it_of(&name);
    Shared::<Robot>::remove(&name)?;
    told
}

fn tell_it_of(name: &str) -> Result<()> {
    let mut displays = [Display::start(1, name)?, Display::start(2, name)?];
    for display in &mut displays {
        display.say_a_line()?;
    }
    let [mut first, mut second] = displays;
    first.process.kill()?;
    first.process.wait()?;
    println!("display 1 is killed");
    drive(name)?;
    second.say_a_line()?;
    if second.process.wait()?.success() { Ok(()) } else { Err("a display failed".into()) }
}

struct Display {
    number: u32,
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Display {
    fn start(number: u32, name: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["display", name])
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        Ok(Self { number, process, lines })
    }

    /// Passes on what the display shows next.
    fn say_a_line(&mut self) -> Result<()> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        println!("display {}: {}", self.number, line.trim_end());
        Ok(())
    }
}
