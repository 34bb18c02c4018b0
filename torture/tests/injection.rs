//! Every system call of opening, using and removing fails once, in every way that a kernel without
//! memory, descriptors, locks or room makes it fail.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;
#[path = "../../tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Duration;

use child::footprint;
use common::{TestFile, TestName};
use io_shared::mmap::Bytes;
use io_shared::{
    Channel, Error, ErrorKind, Result, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap,
};
use nix::errno::Errno;
use nix::sys::wait::WaitStatus;
use torture::injector::{self, Fault};

/// Where an act takes place.
struct Ground {
    name: TestName,
    file: TestFile,
}

impl Ground {
    fn channel(&self) -> Channel<u64> {
        Channel::named(&*self.name).open_timeout(Duration::ZERO)
    }

    /// The same of another type.
    fn other(&self) -> Channel<i32> {
        Channel::named(&*self.name).open_timeout(Duration::ZERO)
    }

    fn in_file(&self) -> Channel<u64> {
        Channel::file(&*self.file).open_timeout(Duration::ZERO)
    }

    /// What lies there.
    fn remains(&self) -> (bool, bool) {
        (self.name.path().exists(), self.file.exists())
    }
}

/// What is done, on what ground.
struct Act {
    what: &'static str,
    before: fn(&Ground),
    act: fn(&Ground) -> Result<()>,
    /// What must hold of the ground if the act failed.
    kept: fn(&Ground) -> bool,
}

fn nothing(_: &Ground) {}

fn nothing_is_left(ground: &Ground) -> bool {
    ground.remains() == (false, false)
}

fn a_channel(ground: &Ground) {
    ground.channel().producer().unwrap().put(&7).unwrap();
}

fn the_value_is_there(ground: &Ground) -> bool {
    ground.channel().observer().is_ok_and(|mut it| it.copy().unwrap().is_some_and(|v| *v == 7))
}

fn a_file(ground: &Ground) {
    ground.in_file().producer().unwrap().put(&7).unwrap();
}

fn the_files_value_is_there(ground: &Ground) -> bool {
    ground.in_file().observer().is_ok_and(|mut it| it.copy().unwrap().is_some_and(|v| *v == 7))
}

fn a_lock(ground: &Ground) {
    let mut lock = SharedMmap::named(&*ground.name).size(64).open().unwrap();
    lock.lock().unwrap().write_all(b"kept").unwrap();
}

fn its_bytes_are_there(ground: &Ground) -> bool {
    let mut lock = SharedMmap::named(&*ground.name).open().unwrap();
    lock.lock().unwrap().as_bytes().starts_with(b"kept")
}

fn both_sides(channel: &Channel<u64>) -> Result<()> {
    let mut producer = channel.clone().producer()?;
    let mut consumer = channel.clone().consumer()?;
    producer.put(&7)?;
    assert_eq!(*consumer.get_timeout(Duration::from_secs(1))?, 7);
    Ok(())
}

const CHANNELS: &[Act] = &[
    Act {
        what: "create as a producer",
        before: nothing,
        act: |ground| ground.channel().producer().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "create as a consumer",
        before: nothing,
        act: |ground| ground.channel().consumer().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "create for a while",
        before: nothing,
        act: |ground| ground.channel().ephemeral(true).producer().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "open, put and get",
        before: a_channel,
        act: |ground| both_sides(&ground.channel()),
        kept: the_value_is_there,
    },
    Act {
        what: "open as a named consumer",
        before: a_channel,
        act: |ground| ground.channel().consumer_as("viewer").consumer().map(drop),
        kept: the_value_is_there,
    },
    Act {
        what: "observe",
        before: a_channel,
        act: |ground| ground.channel().observer()?.copy().map(drop),
        kept: the_value_is_there,
    },
    Act {
        what: "replace",
        before: a_channel,
        act: |ground| ground.other().producer().map(drop),
        kept: the_value_is_there,
    },
    Act {
        what: "remove",
        before: a_channel,
        act: |ground| Channel::remove(&*ground.name),
        kept: the_value_is_there,
    },
];

const BACKINGS: &[Act] = &[
    Act {
        what: "create a file",
        before: nothing,
        act: |ground| ground.in_file().producer().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "open a file",
        before: a_file,
        act: |ground| both_sides(&ground.in_file()),
        kept: the_files_value_is_there,
    },
    Act {
        what: "create anonymous memory, pass it on and receive it",
        before: nothing,
        act: |_| {
            let producer = Channel::<u64>::anonymous().producer()?;
            let received: OwnedFd = producer.as_fd().unwrap().try_clone_to_owned().unwrap();
            Channel::<u64>::from_fd(received).consumer().map(drop)
        },
        kept: nothing_is_left,
    },
    Act {
        what: "create a lock",
        before: nothing,
        act: |ground| SharedMmap::named(&*ground.name).size(64).open().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "open a lock and lock it",
        before: a_lock,
        act: |ground| {
            let mut lock = SharedMmap::named(&*ground.name).open()?;
            let guard = lock.lock_timeout(Duration::from_secs(1)).unwrap();
            assert!(guard.as_bytes().starts_with(b"kept"));
            Ok(())
        },
        kept: its_bytes_are_there,
    },
    Act {
        what: "create a lock for readers",
        before: nothing,
        act: |ground| RwSharedMmap::file(&*ground.file).size(64).open().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "create state",
        before: nothing,
        act: |ground| Shared::<u64>::open(&*ground.name)?.update(|value| *value += 1),
        // What failed may have been the update.
        kept: |ground| Shared::<u64>::open(&*ground.name).unwrap().get().is_ok_and(|v| v <= 1),
    },
    Act {
        what: "create bytes without a lock",
        before: nothing,
        act: |ground| UnsafeSharedMmap::named(&*ground.name).size(64).open().map(drop),
        kept: nothing_is_left,
    },
];

/// In the traced process: the act with its fault, the checks behind it, and the act again. Says what
/// came of the first.
fn perform(act: &Act, ground: &Ground) -> String {
    (act.before)(ground);
    let before = footprint();
    let done = injector::watched(|| (act.act)(ground));
    assert_eq!(footprint(), before, "left behind after {done:?}");
    if done.is_err() {
        assert!((act.kept)(ground), "not as it was after {done:?}");
    }
    (act.before)(ground);
    (act.act)(ground).unwrap();
    assert_eq!(footprint(), before, "left behind by the second time, after {done:?}");
    match done {
        Ok(()) => "done".into(),
        Err(error) => describe(&error),
    }
}

fn describe(error: &Error) -> String {
    match error.kind() {
        ErrorKind::System { errno, .. } => format!("{:?}", Errno::from_raw(*errno)),
        kind => format!("{kind:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
    }
}

/// Whether a program that was told `errno` by the kernel may say this to its user.
fn is_fair(errno: Errno, said: &str) -> bool {
    said == "done"
        || said == format!("{errno:?}")
        || match errno {
            Errno::ENOSPC | Errno::EDQUOT => said == "NoSpace",
            Errno::EACCES | Errno::EPERM => said == "NotOwner" || said == "Unsupported",
            Errno::EOPNOTSUPP => said == "Unsupported",
            _ => false,
        }
}

fn fail_every_call_of(acts: &[Act]) {
    let (mut runs, mut table) = (0, BTreeMap::<String, BTreeMap<String, usize>>::new());
    let mut failed = Vec::new();
    for act in acts {
        let run = |fault| {
            let ground = Ground { name: TestName::new("injected"), file: TestFile::new("injected") };
            injector::run(fault, || perform(act, &ground)).unwrap()
        };
        let clean = run(None);
        assert_eq!(clean.said, "done", "{}", act.what);
        assert!(matches!(clean.status, WaitStatus::Exited(_, 0)), "{:?}", clean.status);
        assert!(clean.calls.len() > 3, "{}: hardly a call: {:?}", act.what, clean.calls);
        for (at, call) in clean.calls.iter().enumerate() {
            let (name, errnos) = injector::failures(call)
                .unwrap_or_else(|| panic!("{}: {call:?} is not known", act.what));
            for errno in errnos {
                let trace = run(Some(Fault { at, errno: *errno }));
                runs += 1;
                let ended = matches!(trace.status, WaitStatus::Exited(_, 0));
                if !ended || !is_fair(*errno, &trace.said) {
                    failed.push(format!(
                        "{}: call {at}, {name} with {errno:?}: {} ({:?})",
                        act.what, trace.said, trace.status
                    ));
                }
                *table.entry(name.into()).or_default().entry(trace.said).or_default() += 1;
            }
        }
    }
    for (call, outcomes) in table {
        println!("{call}: {outcomes:?}");
    }
    println!("{} acts, {runs} calls failed, {} of them badly", acts.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(runs > 100 * acts.len(), "{runs} runs");
}

/// Fault 38.
#[test]
fn whatever_call_of_a_channel_fails_is_a_typed_error_that_leaves_nothing_behind() {
    fail_every_call_of(CHANNELS);
}

/// Fault 38, on the other backings and for the locks.
#[test]
fn whatever_call_of_a_file_a_descriptor_or_a_lock_fails_is_a_typed_error_too() {
    fail_every_call_of(BACKINGS);
}
