//! Containers: namespaces of processes, users and mounts over one shared memory, and what some of
//! them lack. Faults 16, 64, 65, 67 and 69.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant, SystemTime};

use child::{
    NOBODY, become_user, in_child, is_root, may_mount, mount_shm, not_run, own_mounts, succeeds,
};
use io_shared::{Channel, Error, ErrorKind, SharedMmap, UnsafeSharedMmap};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use test_support::claims::{claim, descriptors_of, lock};
use test_support::peer::{Peer, hear, tell};
use test_support::{TestFile, TestName, eventually};

/// The program in a container: obeys commands until its input ends.
#[test]
fn peer() {
    let Some(arguments) = test_support::peer::arguments() else { return };
    let [name] = arguments.as_slice() else { panic!("a name") };
    let (mut producer, mut consumer) = (None, None);
    tell(&format!("process {}", std::process::id()));
    loop {
        let line = hear();
        if line.is_empty() {
            return;
        }
        let done: io_shared::Result<String> = (|| match line.as_str() {
            "produce" => {
                producer = Some(io_shared::producer::<u64>(name)?);
                Ok("ok".into())
            }
            "consume" => {
                consumer = Some(io_shared::consumer::<u64>(name)?);
                Ok("ok".into())
            }
            "get" => {
                let value = consumer.as_mut().unwrap().get_timeout(Duration::from_secs(2))?;
                Ok(format!("{} {}", *value, value.seq()))
            }
            value => Ok(producer.as_mut().unwrap().put(&value.parse().unwrap())?.to_string()),
        })();
        tell(&done.unwrap_or_else(|error| format!("{:?}", error.kind())));
    }
}

/// Starts the program in its own namespaces for processes, mounts and users.
fn container(name: &TestName, user: &str) -> Peer {
    let (user, group) = (format!("--map-user={user}"), format!("--map-group={user}"));
    let own = ["unshare", "--user", &user, &group, "--pid", "--fork", "--kill-child"];
    Peer::start_under(&[&own[..], &["--mount-proc"]].concat(), "peer", &[name])
}

/// Kills the program in a container, which is the only child of the process that set it up.
fn kill_inside(container: &Peer) {
    let parent = format!("PPid:\t{}\n", container.id());
    let is_child = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|it| it.contains(&parent))
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    kill(Pid::from_raw(pids.find(is_child).unwrap()), Signal::SIGKILL).unwrap();
}

#[track_caller]
fn ask(peer: &mut Peer, command: &str, answer: &str) {
    peer.tell(command);
    peer.expect(answer);
}

/// Faults 16, 64 and 65.
#[test]
fn two_containers_over_one_shared_memory_take_turns_though_both_are_process_1() {
    let unshare = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true"];
    let allowed = std::process::Command::new("unshare").args(unshare).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return not_run("this machine does not let the test have namespaces of its own");
    }
    let name = TestName::new("containers");
    let (mut first, mut second) = (container(&name, "0"), container(&name, "1000"));
    for peer in [&mut first, &mut second] {
        peer.expect("process 1");
    }
    ask(&mut first, "produce", "ok");
    ask(&mut second, "consume", "ok");
    ask(&mut first, "7", "1");
    ask(&mut second, "get", "7 1");
    // The holder's pid is also the pid of the refused process, but they are different processes.
    second.tell("produce");
    let refused = second.hear();
    assert!(refused.starts_with("RoleTaken") && refused.contains("pid: Some(1)"), "{refused}");
    assert!(refused.contains("is_here: false"), "{refused}");
    let here = io_shared::producer::<u64>(&name).unwrap_err();
    assert!(matches!(here.kind(), ErrorKind::RoleTaken { .. }), "{here}");
    // The other sleeps for a value that comes from outside its namespaces.
    second.tell("get");
    std::thread::sleep(Duration::from_millis(20));
    ask(&mut first, "8", "2");
    second.expect("8 2");
    kill_inside(&first);
    eventually("the role of the dead is free", || {
        second.tell("produce");
        second.hear() == "ok"
    });
    ask(&mut second, "9", "3");
    ask(&mut second, "get", "9 3");
    // And so it is outside all containers.
    let mut consumer = Channel::<u64>::named(&*name).observer().unwrap();
    assert_eq!(*consumer.copy().unwrap().unwrap(), 9);
    kill_inside(&second);
    eventually("its roles too", || io_shared::producer::<u64>(&name).is_ok());
    assert!(io_shared::consumer::<u64>(&name).is_ok());
}

/// Fault 65.
#[test]
fn root_of_a_user_namespace_may_do_to_others_channels_what_their_modes_say() {
    if !is_root() {
        return;
    }
    let (private, public) = (TestName::new("mapped-private"), TestName::new("mapped-public"));
    drop(Channel::<u64>::named(&*private).producer().unwrap());
    drop(Channel::<u64>::named(&*public).mode(0o666).producer().unwrap());
    let allowed = in_child(|| {
        become_user(NOBODY);
        unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    });
    if waitpid(allowed, None).unwrap() != WaitStatus::Exited(allowed, 0) {
        return not_run("this machine does not let the test have a user namespace");
    }
    succeeds(in_child(|| {
        become_user(NOBODY);
        own_mounts();
        assert!(nix::unistd::Uid::effective().is_root());
        let error = io_shared::producer::<u64>(&private).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::System { call: "open", errno: libc::EACCES });
        let error = Channel::remove(&public).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotOwner, "{error}");
        let mut producer = io_shared::producer::<u64>(&public).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&public).unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
    }));
}

/// Fault 67: the file is copied up when somebody opens it for writing.
#[test]
fn an_observer_that_may_not_write_is_told_that_a_file_on_an_overlay_was_copied_up() {
    if !is_root() || !may_mount() {
        return;
    }
    let directory = tempfile_in_target("overlay");
    let (mut here, mut there) = UnixStream::pair().unwrap();
    succeeds(in_child(|| {
        own_mounts();
        let at = directory.to_str().unwrap();
        let (tmpfs, overlay) = (Some("tmpfs"), Some("overlay"));
        mount(tmpfs, at, tmpfs, MsFlags::empty(), Some("mode=755")).unwrap();
        for layer in ["low", "up", "aside", "all"] {
            std::fs::create_dir(directory.join(layer)).unwrap();
        }
        let open = |layer: &str| Channel::<u64>::file(directory.join(layer).join("channel"));
        open("low").mode(0o644).producer().unwrap().put(&5).unwrap();
        let layers = format!("lowerdir={at}/low,upperdir={at}/up,workdir={at}/aside");
        mount(overlay, &*directory.join("all"), overlay, MsFlags::empty(), Some(&*layers)).unwrap();
        let observing = in_child(|| {
            become_user(NOBODY);
            let mut observer = open("all").observer().unwrap();
            let mut faithful = open("all").reopen(false).observer().unwrap();
            for observer in [&mut observer, &mut faithful] {
                assert_eq!(observer.copy().unwrap().as_deref(), Some(&5));
            }
            there.write_all(b"o").unwrap();
            there.read_exact(&mut [0]).unwrap();
            let error = faithful.copy().unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Replaced);
            assert_eq!(observer.copy().unwrap().as_deref(), Some(&6));
        });
        here.read_exact(&mut [0]).unwrap();
        open("all").producer().unwrap().put(&6).unwrap();
        here.write_all(b"p").unwrap();
        succeeds(observing);
    }));
    std::fs::remove_dir(&directory).unwrap();
}

/// A directory for this test, on which something may be mounted.
fn tempfile_in_target(what: &str) -> std::path::PathBuf {
    let name = format!("{what}-{}", std::process::id());
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir(&directory).unwrap();
    directory
}

/// Fault 65: `--ipc=none`.
#[test]
fn without_shared_memory_names_are_refused_at_once_and_the_other_backings_work() {
    if !may_mount() {
        return;
    }
    let file = TestFile::new("no-shm");
    succeeds(in_child(|| {
        own_mounts();
        let tmpfs = Some("tmpfs");
        mount(tmpfs, "/dev", tmpfs, MsFlags::empty(), None::<&str>).unwrap();
        assert!(!std::path::Path::new("/dev/shm").exists());
        let started = Instant::now();
        for error in [
            io_shared::producer::<u64>("/none").unwrap_err(),
            io_shared::consumer::<u64>("/none").unwrap_err(),
            SharedMmap::named("/none").size(8).open().unwrap_err(),
            UnsafeSharedMmap::named("/none").size(8).open().unwrap_err(),
        ] {
            let errno = libc::ENOENT;
            assert_eq!(*error.kind(), ErrorKind::System { call: "create", errno }, "{error}");
            assert!(error.to_string().contains("make the directory"), "{error}");
        }
        let open = || Channel::<u64>::named("/none").open_timeout(Duration::ZERO);
        assert_eq!(*open().observer().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(*Channel::remove("/none").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(started.elapsed() < Duration::from_secs(1));
        Channel::<u64>::anonymous().producer().unwrap().put(&1).unwrap();
        Channel::<u64>::file(&*file).producer().unwrap().put(&1).unwrap();
    }));
}

/// Fault 65.
#[test]
fn a_read_only_shared_memory_can_be_observed() {
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=1m");
        io_shared::producer::<u64>("/there").unwrap().put(&7).unwrap();
        let (none, again) = (None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY);
        mount(none, "/dev/shm", none, again, none).unwrap();
        let is_read_only =
            |error: &Error| matches!(error.kind(), ErrorKind::System { errno: libc::EROFS, .. });
        for error in [
            io_shared::producer::<u64>("/there").unwrap_err(),
            io_shared::consumer::<u64>("/there").unwrap_err(),
            io_shared::producer::<i32>("/there").unwrap_err(),
            io_shared::producer::<u64>("/missing").unwrap_err(),
            io_shared::consumer::<u64>("/missing").unwrap_err(),
            Channel::remove("/there").unwrap_err(),
        ] {
            assert!(is_read_only(&error), "{error}");
        }
        let mut observer = Channel::<u64>::named("/there").observer().unwrap();
        assert_eq!(*observer.copy().unwrap().unwrap(), 7);
    }));
}

/// Fault 67.
#[test]
fn a_file_on_a_tmpfs_is_one_channel_by_both_paths_of_a_bind_mount() {
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=4m");
        let (none, nothing) = (None::<&str>, MsFlags::empty());
        let (here, there) = ("/dev/shm/here", "/dev/shm/there");
        std::fs::create_dir(here).unwrap();
        std::fs::create_dir(there).unwrap();
        mount(Some("tmpfs"), here, Some("tmpfs"), nothing, none).unwrap();
        mount(Some(here), there, none, MsFlags::MS_BIND, none).unwrap();
        let (here, there) = (format!("{here}/channel"), format!("{there}/channel"));
        let mut producer = Channel::<u64>::file(&here).reopen(false).producer().unwrap();
        let mut consumer = Channel::<u64>::file(&there).consumer().unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        let taken = Channel::<u64>::file(&there).producer().unwrap_err();
        assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
        // Removing it by one path removes it by the other.
        std::fs::remove_file(&there).unwrap();
        std::thread::sleep(Duration::from_millis(120));
        assert_eq!(*producer.put(&2).unwrap_err().kind(), ErrorKind::Replaced);
    }));
}

/// Fault 69: what systemd's RemoveIPC and tmpfiles do.
#[test]
fn a_cleaner_that_deletes_the_names_of_living_channels_costs_one_reopening() {
    let name = TestName::new("cleaner");
    let open = || Channel::<u64>::named(&*name);
    let mut producer = open().producer().unwrap();
    let mut consumer = open().consumer().unwrap();
    let mut observer = open().observer().unwrap();
    let mut plain = open().reopen(false).observer().unwrap();
    let mut value = 0;
    for _ in 0..5 {
        std::fs::remove_file(name.path()).unwrap();
        let started = Instant::now();
        loop {
            value += 1;
            producer.put(&value).unwrap();
            let seen = consumer.get_timeout(Duration::from_millis(200)).map(|seen| *seen);
            if name.path().exists() && seen.as_ref().is_ok_and(|seen| *seen == value) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(1), "{seen:?} of {value}");
        }
        eventually("the observer is there too", || {
            observer.copy().is_ok_and(|copy| copy.is_some_and(|copy| *copy == value))
        });
        let told = plain.copy().map(drop);
        assert_eq!(*told.unwrap_err().kind(), ErrorKind::Replaced, "who does not reopen is told");
        plain = open().reopen(false).observer().unwrap();
    }
}

/// Fault 69.
#[test]
fn a_process_that_changes_its_root_keeps_its_channels() {
    if !is_root() {
        return;
    }
    let name = TestName::new("chroot");
    let (mut here, there) = UnixStream::pair().unwrap();
    let jailed = in_child(|| {
        let open = || Channel::<u64>::named(&*name).reopen(false);
        let mut producer = open().producer().unwrap();
        let mut consumer = open().consumer().unwrap();
        let mut observer = open().observer().unwrap();
        producer.put(&1).unwrap();
        std::os::unix::fs::chroot("/etc").unwrap();
        // Longer than a handle goes without checking its name.
        std::thread::sleep(Duration::from_millis(120));
        producer.put(&2).unwrap();
        assert_eq!(*consumer.get().unwrap(), 2);
        assert_eq!(*observer.copy().unwrap().unwrap(), 2);
        // It notices that the name is gone, although nothing announced the deletion.
        (&there).write_all(&[1]).unwrap();
        (&there).read_exact(&mut [0]).unwrap();
        let is_replaced = |error: Error| *error.kind() == ErrorKind::Replaced;
        eventually("the producer notices", || producer.put(&3).is_err_and(is_replaced));
        eventually("the consumer notices", || consumer.latest().is_err_and(is_replaced));
        eventually("the observer notices", || observer.copy().is_err_and(is_replaced));
    });
    drop(there); // so that its end is noticed
    if here.read_exact(&mut [0]).is_ok() {
        std::fs::remove_file(name.path()).unwrap();
        here.write_all(&[1]).unwrap();
    }
    succeeds(jailed);
}

/// Fault 69, where the new root has a directory with the same path on the same file system.
#[test]
fn a_process_whose_new_root_resembles_the_old_one_keeps_its_channels_in_files() {
    if !is_root() {
        return;
    }
    let directory = TestName::new("chroot-alike").path();
    let jail = directory.join("jail");
    std::fs::create_dir_all(jail.join(directory.strip_prefix("/").unwrap())).unwrap();
    let path = directory.join("channel");
    succeeds(in_child(|| {
        let mut producer = Channel::<u64>::file(&path).producer().unwrap();
        let mut consumer = Channel::<u64>::file(&path).consumer().unwrap();
        let mut observer = Channel::<u64>::file(&path).observer().unwrap();
        std::os::unix::fs::chroot(&jail).unwrap();
        assert!(directory.exists() && !path.exists());
        // Longer than a handle goes without checking its name.
        std::thread::sleep(Duration::from_millis(120));
        producer.put(&2).unwrap();
        assert_eq!(*consumer.get().unwrap(), 2);
        assert_eq!(*observer.copy().unwrap().unwrap(), 2);
    }));
    // In the old directory, a name that leads nowhere is gone.
    let mut producer = Channel::<u64>::file(&path).reopen(false).producer().unwrap();
    std::fs::rename(&path, directory.join("moved")).unwrap();
    eventually("that its name was moved is noticed", || {
        producer.put(&3).is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Fault 69: what a daemon does.
#[test]
fn a_process_that_changes_its_directory_keeps_its_channels_in_files() {
    let file = TestFile::new("chdir");
    succeeds(in_child(|| {
        std::env::set_current_dir(file.parent().unwrap()).unwrap();
        let relative = std::path::Path::new(file.file_name().unwrap());
        let mut producer = Channel::<u64>::file(relative).ephemeral(true).producer().unwrap();
        let mut consumer = Channel::<u64>::file(relative).consumer().unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        // On the same file system, so that the directory is still visible.
        std::env::set_current_dir(file.parent().unwrap().parent().unwrap()).unwrap();
        // Longer than a handle goes without checking its name.
        std::thread::sleep(Duration::from_millis(120));
        producer.put(&2).unwrap();
        assert_eq!(*consumer.get().unwrap(), 2);
        drop((producer, consumer));
        assert!(!file.exists(), "its last user removes it");
    }));
}

/// Faults 20 and 65.
#[test]
fn without_proc_channels_come_from_hidden_names_and_stale_ones_are_swept() {
    if !is_root() {
        return;
    }
    let name = TestName::new("no-proc");
    let hidden = |what: &str| {
        let path = format!("/dev/shm/.io-shared.test-{what}-{}", std::process::id());
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let file = file.unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        (std::path::PathBuf::from(path), file)
    };
    let ((stale, _), (living, file)) = (hidden("stale"), hidden("living"));
    lock(&file, libc::F_WRLCK, 2, 1); // as its creator would
    let link = std::path::PathBuf::from(format!("{}-link", stale.display()));
    std::os::unix::fs::symlink(&living, &link).unwrap();
    let before: Vec<_> = hidden_names();
    let child = in_child(|| {
        // Its own mount namespace, in which /proc is not mounted.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, private, none).unwrap();
        umount2("/proc", MntFlags::MNT_DETACH).unwrap();
        assert!(!std::path::Path::new("/proc/self").exists());
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        let mut consumer = Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
        producer.put(&5).unwrap();
        assert_eq!(*consumer.get().unwrap(), 5);
        let taken = io_shared::producer::<u64>(&name).unwrap_err();
        assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
        let error = Channel::<[u8]>::named("/test-no-room").capacity(1u64 << 50).producer();
        assert!(matches!(error.unwrap_err().kind(), ErrorKind::NoSpace { .. }));
        // A memfd that cannot be reopened is not opened at all.
        let anonymous = Channel::<u64>::anonymous().producer().unwrap_err();
        assert!(matches!(
            anonymous.kind(),
            ErrorKind::System { .. } | ErrorKind::Unsupported { .. }
        ));
        Channel::remove(&name).unwrap();
        assert_eq!(*consumer.try_get().unwrap_err().kind(), ErrorKind::Replaced);
        drop(io_shared::consumer::<u64>(&name).unwrap());
    });
    let ended = waitpid(child, None).unwrap();
    let after = hidden_names();
    for path in [&stale, &living, &link] {
        let _ = std::fs::remove_file(path);
    }
    assert_eq!(ended, WaitStatus::Exited(child, 0));
    assert!(before.contains(&stale) && !after.contains(&stale), "{before:?} {after:?}");
    assert!(after.contains(&living), "its creator lives: {after:?}");
    assert_eq!(after.len(), before.len() - 1, "{before:?} {after:?}");
    // Processes with /proc are in the same channel.
    assert!(descriptors_of(&name).is_empty());
    assert!(io_shared::producer::<u64>(&name).is_ok());
    drop(claim(&name, 1, 1));
}

/// The hidden names of channels that are being created.
fn hidden_names() -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let is_hidden =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".io-shared.");
    entries.filter(is_hidden).map(|entry| entry.path()).collect()
}
