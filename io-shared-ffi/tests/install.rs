//! Installs the C library, and builds programs against it with pkg-config.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::Path;
use std::process::Command;

mod common;

use common::libraries;
use test_support::TestName;

#[track_caller]
fn output(command: &mut Command, needs: &str) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{needs}: {command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn what_is_installed_is_found_by_pkg_config_and_a_program_built_so_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let prefix = tempfile::tempdir().unwrap();
    let installing = &mut Command::new(root.join("install.sh"));
    installing.arg(prefix.path()).env("LIBRARIES", libraries());
    let said = output(installing.env_remove("DESTDIR").env_remove("LIBDIR"), "a shell");
    assert!(
        said.starts_with(&format!("installed io-shared {}", env!("CARGO_PKG_VERSION"))),
        "{said}"
    );

    let libdir = prefix.path().join("lib");
    let flags = |arguments: &[&str]| {
        let mut asking = Command::new("pkg-config");
        asking.args(arguments).arg("io-shared").env("PKG_CONFIG_PATH", libdir.join("pkgconfig"));
        let flags = output(&mut asking, "this test needs pkg-config");
        flags.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(flags(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    assert!(flags(&["--static", "--libs"]).contains(&"-ldl".to_owned()));

    let program = prefix.path().join("get_clouds");
    let compiler = std::env::var("CC").unwrap_or("cc".into());
    let building = &mut Command::new(compiler);
    building.arg(root.join("examples/get_clouds.c")).arg("-o").arg(&program);
    output(building.args(flags(&["--cflags", "--libs"])), "this test needs a C compiler (CC, cc)");

    // The program starts only with a library of this ABI.
    let soname = format!("libio_shared_ffi.so.{}", io_shared_ffi::IOS_ABI_VERSION);
    let dynamic = |file: &Path| {
        output(Command::new("readelf").arg("-d").arg(file), "this test needs readelf (binutils)")
    };
    let of_library = dynamic(&libdir.join("libio_shared_ffi.so"));
    assert!(of_library.contains(&format!("soname: [{soname}]")), "{of_library}");
    let of_program = dynamic(&program);
    assert!(of_program.contains(&format!("Shared library: [{soname}]")), "{of_program}");
    assert_eq!(std::fs::read_link(libdir.join("libio_shared_ffi.so")).unwrap(), Path::new(&soname));

    let name = TestName::new("installed");
    let running = &mut Command::new(&program);
    running.args([&*name, "0"]).env("LD_LIBRARY_PATH", &libdir);
    let _channel = io_shared::Channel::<[u8]>::named(&*name).capacity(16).producer().unwrap();
    let done = running.output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.starts_with("get_clouds: IOS_MISMATCH: "), "it runs, and finds bytes: {said}");
}
