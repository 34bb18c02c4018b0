//! Resources that run out: space, descriptors, address space, memory. Faults 36 to 38, 40 and 41.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod child;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use child::{footprint, in_child, may_mount, mount_shm, not_run, succeeds};
use io_shared::{Channel, ErrorKind, Result, SharedMmap, UnsafeSharedMmap};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Uid;
use test_support::TestName;

/// Fault 36.
#[test]
fn what_does_not_fit_is_an_error_that_leaves_nothing_and_what_fits_can_be_touched() {
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=256k");
        let free = || nix::sys::statvfs::statvfs("/dev/shm").unwrap().blocks_free();
        let names = || std::fs::read_dir("/dev/shm").unwrap().count();
        let all = free();
        let large = || Channel::<[u8]>::named("/full").capacity("1M");
        for error in [
            large().producer().unwrap_err(),
            large().consumer().unwrap_err(),
            SharedMmap::named("/full").size("1M").open().unwrap_err(),
            UnsafeSharedMmap::named("/full").size("1M").open().unwrap_err(),
            Channel::<[u8]>::file("/dev/shm/full").capacity("1M").producer().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
            assert!(error.to_string().contains("--shm-size"), "{error}");
            assert_eq!((names(), free()), (0, all), "{error}");
        }
        // Up to the last page: either it fits and every byte can be written, or it is refused.
        let (mut fitted, mut refused) = (0, 0);
        for capacity in (4096..120_000usize).step_by(4096) {
            match Channel::<[u8]>::named("/full").capacity(capacity as u64).producer() {
                Ok(mut producer) => {
                    // More than there are buffers.
                    for value in 0..5 {
                        producer.put(&vec![value; capacity]).unwrap();
                    }
                    Channel::remove("/full").unwrap();
                    fitted += 1;
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
                    refused += 1;
                }
            }
            assert_eq!((names(), free()), (0, all), "{capacity}");
        }
        assert!(fitted > 5 && refused > 5, "{fitted} fitted, {refused} did not");
    }));
}

/// Fault 38.
#[test]
fn whoever_runs_out_of_descriptors_keeps_none_and_destroys_nothing() {
    type Step = fn(&str) -> Result<()>;
    let steps: [(&str, Step); 7] = [
        ("produce", |name| io_shared::producer::<u64>(name).map(drop)),
        ("consume", |name| io_shared::consumer::<u64>(name).map(drop)),
        ("produce another type", |name| io_shared::producer::<i32>(name).map(drop)),
        ("observe", |name| {
            Channel::<u64>::named(name).open_timeout(Duration::ZERO).observer().map(drop)
        }),
        ("look", |name| {
            Channel::<i32>::named(name).open_timeout(Duration::ZERO).consumer().map(drop)
        }),
        ("join with buffers to add", |name| {
            let channel = Channel::<u64>::named(name).open_timeout(Duration::ZERO);
            channel.holds(8).consumer().map(drop)
        }),
        ("remove", |name| Channel::remove(name)),
    ];
    // In a separate process, so that nobody else opens anything.
    succeeds(in_child(|| {
        for exists in [false, true] {
            for (what, step) in steps {
                for free in 0..8 {
                    let name = TestName::new("descriptors");
                    if exists {
                        drop(io_shared::producer::<u64>(&name).unwrap());
                    }
                    let before = footprint();
                    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
                    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
                    let mut filled: Vec<_> =
                        std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
                    filled.truncate(filled.len() - free);
                    let done = step(&name);
                    drop(filled);
                    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
                    let context = format!("{what}, {free} free, exists: {exists}: {done:?}");
                    assert_eq!(footprint(), before, "{context}");
                    match done {
                        Ok(()) => {}
                        Err(error) => {
                            assert_eq!(name.path().exists(), exists, "{context}");
                            let expected = matches!(
                                error.kind(),
                                ErrorKind::System { errno: libc::EMFILE, .. }
                                    | ErrorKind::NotFound
                                    | ErrorKind::Mismatch { .. }
                            );
                            assert!(expected, "{context}");
                        }
                    }
                }
            }
        }
    }));
}

/// Fault 37.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_signal() {
    let name = TestName::new("file-size");
    drop(io_shared::producer::<u64>(&name).unwrap());
    succeeds(in_child(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 0, hard).unwrap();
        let mut consumer = Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        // Removing writes to the region too.
        Channel::remove(&name).unwrap();
        let replaced = consumer.try_get().unwrap_err();
        assert_eq!(*replaced.kind(), ErrorKind::Replaced);
        let refused = io_shared::producer::<u64>(&name).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::FileSizeLimit { limit: 0, .. }), "{refused}");
    }));
}

/// Fault 38.
#[test]
fn what_does_not_fit_into_the_address_space_is_an_error_that_leaves_nothing() {
    let (small, large) = (TestName::new("small"), TestName::new("large"));
    succeeds(in_child(|| {
        let mut producer = io_shared::producer::<u64>(&small).unwrap();
        let before = footprint();
        let pages: u64 = std::fs::read_to_string("/proc/self/statm")
            .unwrap()
            .split(' ')
            .next()
            .and_then(|pages| pages.parse().ok())
            .unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, pages * 4096 + (8 << 20), hard).unwrap();
        let open = || Channel::<[u8]>::named(&*large).capacity("16M");
        for error in [
            open().producer().unwrap_err(),
            open().consumer().unwrap_err(),
            SharedMmap::named(&*large).size("64M").open().unwrap_err(),
            UnsafeSharedMmap::named(&*large).size("64M").open().unwrap_err(),
        ] {
            let errno = libc::ENOMEM;
            assert_eq!(*error.kind(), ErrorKind::System { call: "mmap", errno }, "{error}");
            assert!(
                error.to_string().contains("of address space: raise that limit (ulimit -v"),
                "{error}"
            );
            assert!(!large.path().exists(), "{error}");
            assert_eq!(footprint(), before, "{error}");
        }
        producer.put(&1).unwrap();
        setrlimit(Resource::RLIMIT_AS, soft, hard).unwrap();
        open().producer().unwrap();
    }));
}

/// A control group with a limit of memory. Dropping this removes it.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// Returns `None` where such a group cannot be created.
    fn new(limit: u64) -> Option<Self> {
        let controls = std::fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control");
        let (parent, file) = match controls {
            Ok(text) if text.split_whitespace().any(|word| word == "memory") => {
                ("/sys/fs/cgroup", "memory.max")
            }
            _ => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        };
        let group = Self(Path::new(parent).join(format!("io-shared-test-{}", std::process::id())));
        if !Uid::effective().is_root() || !Path::new(parent).join("cgroup.procs").exists() {
            return None;
        }
        std::fs::create_dir(&group.0).ok()?;
        std::fs::write(group.0.join(file), limit.to_string()).ok()?;
        Some(group)
    }

    fn enter(&self) {
        std::fs::write(self.0.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        // The kernel removes a dead process from the group a little later.
        while std::fs::remove_dir(&self.0).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Fault 40.
#[test]
fn a_creator_killed_for_its_memory_leaves_nothing_visible() {
    let Some(group) = MemoryGroup::new(16 << 20) else {
        return not_run("this machine does not let the test limit a group's memory");
    };
    let name = TestName::new("memory");
    let open = || Channel::<[u8]>::named(&*name).capacity("64M");
    let creator = in_child(|| {
        group.enter();
        // If the kernel refuses the memory instead of killing, the result is an error.
        let errno = libc::ENOMEM;
        let error = open().producer().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::System { call: "fallocate", errno }, "{error}");
    });
    let ended = waitpid(creator, None).unwrap();
    let killed = WaitStatus::Signaled(creator, Signal::SIGKILL, false);
    assert!(ended == killed || ended == WaitStatus::Exited(creator, 0), "{ended:?}");
    println!("ended by {ended:?}");
    assert!(!name.path().exists());
    // Nor does it stop others from opening it.
    drop(open().producer().unwrap());
}

/// Opens and closes everything again and again; nothing may grow.
fn open_and_close(times: u32) {
    let (name, churned) = (TestName::new("churn"), TestName::new("churned"));
    let resident = || -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap()
    };
    let ours = || {
        let names = std::fs::read_dir("/dev/shm").unwrap().flatten();
        let pid = format!("-{}-", std::process::id());
        names.filter(|entry| entry.file_name().to_string_lossy().contains(&pid)).count()
    };
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&7).unwrap();
    drop(producer);
    let mut before = None;
    for round in 0..times {
        let producer = io_shared::producer::<u64>(&name).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        assert_eq!(*consumer.latest().unwrap().unwrap(), 7);
        let mut observer = Channel::<u64>::named(&*name).observer().unwrap();
        assert_eq!(*observer.copy().unwrap().unwrap(), 7);
        drop((producer, consumer, observer));
        if round % 16 == 0 {
            drop(SharedMmap::named(&*churned).size(64).open().unwrap());
            SharedMmap::remove(&*churned).unwrap();
            drop(Channel::<u64>::anonymous().producer().unwrap());
        }
        // What the first rounds allocate is not growth.
        if round == times / 10 {
            before = Some((footprint(), ours(), resident()));
        }
    }
    let (footprints, names, pages) = before.unwrap();
    assert_eq!((footprint(), ours()), (footprints, names));
    let grown = resident().saturating_sub(pages);
    println!("{times} rounds: {grown} pages more than after a tenth of them");
    assert!(grown < 64, "{grown} pages more");
}

/// Fault 41.
#[test]
fn opening_and_closing_over_and_over_lets_nothing_grow() {
    // In a separate process, so that nobody else opens anything.
    succeeds(in_child(|| open_and_close(10_000)));
}

/// Fault 41 in full; it takes some minutes.
#[test]
#[ignore = "some minutes"]
fn opening_and_closing_a_million_times_lets_nothing_grow() {
    succeeds(in_child(|| open_and_close(1_000_000)));
}

/// Real-time programs lock their memory; the error names the limit on that.
#[test]
fn a_limit_on_locked_memory_is_told_as_that() {
    if !child::is_root() {
        return;
    }
    succeeds(in_child(|| {
        let limit = 8 << 20;
        setrlimit(Resource::RLIMIT_MEMLOCK, limit, limit).unwrap();
        child::become_user(child::NOBODY);
        // SAFETY: it has no preconditions.
        assert_eq!(unsafe { libc::mlockall(libc::MCL_FUTURE) }, 0);
        let name = TestName::new("mlocked");
        let error = Channel::<[u8]>::named(&*name).capacity("16M").producer().unwrap_err();
        let errno = libc::EAGAIN;
        assert_eq!(*error.kind(), ErrorKind::System { call: "mmap", errno }, "{error}");
        assert!(error.to_string().contains("may lock no more than 8388608 bytes"), "{error}");
    }));
    // The same for buffers that a consumer adds.
    succeeds(in_child(|| {
        let limit = 8 << 20;
        setrlimit(Resource::RLIMIT_MEMLOCK, limit, limit).unwrap();
        child::become_user(child::NOBODY);
        // SAFETY: it has no preconditions.
        assert_eq!(unsafe { libc::mlockall(libc::MCL_FUTURE) }, 0);
        let name = TestName::new("mlocked-added");
        let open = || Channel::<[u8]>::named(&*name).capacity("512K");
        let mut producer = open().producer().unwrap();
        let mut keeper = open().holds(8).consumer().unwrap();
        let mut kept = Vec::new();
        let error = loop {
            // Whichever of them is the first to map what was added.
            match producer.put(&[7; 1000]).and_then(|_| keeper.try_get()) {
                Ok(value) => kept.push(value.unwrap().into_owned()),
                Err(error) => break error,
            }
        };
        assert!(matches!(error.kind(), ErrorKind::NoMemory { .. }), "{error}");
        assert!(error.to_string().contains("may lock no more than 8388608 bytes"), "{error}");
    }));
}
