//! TLS as the guide sets it up: with certificates on both sides, and not without.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use std::path::Path;
use std::process::Command;

use machines::program::{BYTES, Two};

const PAGE: &str = include_str!("../../docs/guide/link.md");

/// The page's configuration of this name.
fn configuration(name: &str) -> String {
    let (_, rest) = PAGE.split_once(&format!("```json5\n// {name}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Makes the certificates by the page's commands, for the robot's address next to its name.
fn make_certificates(folder: &Path, address: &str) {
    let start = PAGE.find("$ openssl req -x509").unwrap();
    let commands = PAGE[start..].split_once("```").unwrap().0;
    let commands: String = commands
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("$ ").or(line.strip_prefix('>')).unwrap()))
        .collect();
    let commands = commands.replace("DNS:$host", &format!("DNS:$host,IP:{address}"));
    let made = Command::new("sh").args(["-euc", &commands]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn machines_with_certificates_meet_over_tls_and_one_without_gets_nothing() {
    let mut two = Two::new();
    let folder = tempfile::tempdir().unwrap();
    let address = two.robot.address(&two.desk);
    make_certificates(folder.path(), &address);
    let write = |name: &str, text: String| {
        let file = folder.path().join(name);
        // The files of the page lie where the link is started.
        let mut with_paths = text;
        for (host, end) in
            [("ca", "pem"), ("robot", "pem"), ("robot", "key"), ("desk", "pem"), ("desk", "key")]
        {
            let name = format!("{host}.{end}");
            let path = folder.path().join(&name);
            let quoted = |text: &str| format!("\"{text}\"");
            with_paths = with_paths.replace(&quoted(&name), &quoted(path.to_str().unwrap()));
        }
        let with_address = with_paths.replace("tls/robot:", &format!("tls/{address}:"));
        std::fs::write(&file, with_address).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (robot, desk) = (configuration("robot.json5"), configuration("desk.json5"));
    let own = "connect_certificate: \"desk.pem\",\n        connect_private_key: \"desk.key\",";
    assert!(desk.contains(own), "{desk}");
    let stranger =
        write("stranger.json5", desk.replace(own, "").replace("mtls: true", "mtls: false"));
    let (robot, desk) = (write("robot.json5", robot), write("desk.json5", desk));
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let mut robot = two.robot.link(&["--config", &robot, "--give", "/clouds"]);
    let mut refused = two.desk.link(&["--config", &stranger, "--take", "/clouds"]);
    let mut desk = two.desk.link(&["--config", &desk, "--take", "/clouds"]);
    desk.expect("takes /clouds from robot");
    assert_eq!(two.on_desk.get("/clouds", 1).1, 1);
    assert!(!refused.rest().iter().any(|line| line.contains("connected to robot")));
    assert!(robot.rest().iter().filter(|line| line.contains("connected to desk")).count() <= 1);
}
