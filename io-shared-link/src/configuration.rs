//! How Zenoh is set up: by a file of the user's, or else so that nothing waits in a queue.

use zenoh::Config;

use crate::arguments::Arguments;

/// Where a link listens that is told neither where to listen nor whom to connect to.
const LOOPBACK: &str = "tcp/127.0.0.1:7447";

/// What a link without a file of its own asks of Zenoh.
///
/// - Nobody is looked for on the network: a link connects to whom it is told.
/// - What is in the kernel's send buffer has priority over all that comes later, so it is small. It
///   has to have room for what is on its way, and the kernel takes twice what it is told: that
///   carries 100 Mbit/s over a round trip of 20 ms.
/// - A peer that says nothing for 2 s is gone. It says something every 500 ms.
/// - What waits for room in a queue may wait long: a slow wire is no reason to close it.
const DEFAULTS: &[(&str, &str)] = &[
    ("mode", "\"peer\""),
    ("scouting/multicast/enabled", "false"),
    ("scouting/gossip/enabled", "false"),
    ("transport/link/tcp/so_sndbuf", "131072"),
    ("transport/link/tls/so_sndbuf", "131072"),
    ("transport/link/tx/lease", "2000"),
    ("transport/link/tx/queue/congestion_control/block/wait_before_close", "60000000"),
    ("connect/retry", "{ period_init_ms: 200, period_max_ms: 1000, period_increase_factor: 2 }"),
];

/// The configuration that these arguments ask for.
pub(crate) fn of(arguments: &Arguments) -> Result<Config, String> {
    let mut config = match &arguments.config {
        None => Config::default(),
        Some(file) => Config::from_file(file)
            .map_err(|error| format!("cannot use the configuration {}: {error}", file.display()))?,
    };
    let listens = |config: &Config| config.get_json("listen/endpoints").ok();
    let says_where_to_listen = listens(&config) != listens(&Config::default());
    let mut insert = |key: &str, value: &str| {
        config.insert_json5(key, value).map_err(|error| format!("cannot set {key}: {error}"))
    };
    if arguments.config.is_none() {
        DEFAULTS.iter().try_for_each(|(key, value)| insert(key, value))?;
    }
    // Two machines that only seem to be two would meet in /dev/shm, past all that is tested.
    insert("transport/shared_memory/enabled", "false")?;
    let is_alone = arguments.connect.is_empty() && arguments.config.is_none();
    let listen = match &arguments.listen[..] {
        [] if is_alone => vec![LOOPBACK.to_owned()],
        listen => listen.to_vec(),
    };
    let list = |endpoints: &[String]| serde_json::Value::from(endpoints).to_string();
    // Zenoh's own default is each address of the machine, without TLS.
    if arguments.config.is_none() || !listen.is_empty() || !says_where_to_listen {
        insert("listen/endpoints", &list(&listen))?;
    }
    if arguments.config.is_none() || !arguments.connect.is_empty() {
        insert("connect/endpoints", &list(&arguments.connect))?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn endpoints(options: &[&str], of_what: &str) -> String {
        let arguments = ["io-shared-link", "--give", "/x"].iter().chain(options);
        let config = of(&Arguments::try_parse_from(arguments).unwrap()).unwrap();
        config.get_json(&format!("{of_what}/endpoints")).unwrap()
    }

    #[test]
    fn a_link_listens_on_loopback_alone_unless_it_is_told_otherwise() {
        assert_eq!(endpoints(&[], "listen"), r#"["tcp/127.0.0.1:7447"]"#);
        assert_eq!(endpoints(&["--connect", "tcp/robot:7447"], "listen"), "[]");
        assert_eq!(endpoints(&["--connect", "tcp/robot:7447"], "connect"), r#"["tcp/robot:7447"]"#);
        assert_eq!(endpoints(&["--listen", "tcp/[::]:1"], "listen"), r#"["tcp/[::]:1"]"#);
    }

    #[test]
    fn a_file_decides_what_the_command_line_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("link.json5");
        std::fs::write(&file, r#"{ mode: "client", connect: { endpoints: ["tcp/a:1"] } }"#)
            .unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(endpoints(&["--config", file], "connect"), r#"["tcp/a:1"]"#);
        assert_eq!(
            endpoints(&["--config", file, "--connect", "tcp/b:2"], "connect"),
            r#"["tcp/b:2"]"#
        );
        // Zenoh alone would listen everywhere.
        assert_eq!(endpoints(&["--config", file], "listen"), "[]");
        assert_eq!(
            endpoints(&["--config", file, "--listen", "tcp/[::]:1"], "listen"),
            r#"["tcp/[::]:1"]"#
        );
        for (listen, found) in [
            (r#"["tls/0.0.0.0:7447"]"#, r#"["tls/0.0.0.0:7447"]"#),
            (r#"{ peer: ["tcp/[::1]:1"] }"#, r#"{"peer":["tcp/[::1]:1"]}"#),
        ] {
            std::fs::write(file, format!("{{ listen: {{ endpoints: {listen} }} }}")).unwrap();
            assert_eq!(endpoints(&["--config", file], "listen"), found);
        }
        let wrong = ["io-shared-link", "--give", "/x", "--config", "/nowhere.json5"];
        let error = of(&Arguments::try_parse_from(wrong).unwrap()).unwrap_err();
        assert!(error.contains("/nowhere.json5"), "{error}");
    }
}
