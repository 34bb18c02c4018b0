//! Each system call of opening, using and removing fails once, in every way in which a kernel that
//! is out of memory, descriptors, locks or space makes it fail. It writes the registers of x86-64,
//! and is only for it.

#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod child;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use child::footprint;
use io_shared::mmap::Bytes;
use io_shared::{
    Channel, Error, ErrorKind, Result, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap,
};
use nix::errno::Errno;
use nix::sys::wait::WaitStatus;
use test_support::{TestName, eventually};
use torture::injector::{self, Fault};
use torture::machine;

/// Where an act happens.
struct Ground {
    name: TestName,
    /// In its own directory.
    file: PathBuf,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.directory());
    }
}

impl Ground {
    fn new() -> Self {
        let name = TestName::new("injected");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.trim_start_matches('/'));
        std::fs::create_dir(&directory).unwrap();
        Self { name, file: directory.join("file") }
    }

    fn directory(&self) -> &Path {
        self.file.parent().unwrap()
    }

    fn channel(&self) -> Channel<u64> {
        Channel::named(&*self.name).open_timeout(Duration::ZERO)
    }

    /// A channel of another type under the same name.
    fn other(&self) -> Channel<i32> {
        Channel::named(&*self.name).open_timeout(Duration::ZERO)
    }

    fn in_file(&self) -> Channel<u64> {
        Channel::file(&self.file).open_timeout(Duration::ZERO)
    }
}

/// The hidden names of files that are being created, in shared memory and next to the file.
fn hidden_names(ground: &Ground) -> BTreeSet<PathBuf> {
    let directories = [Path::new(machine::SHARED_MEMORY), ground.directory()];
    let entries = directories.into_iter().flat_map(|it| std::fs::read_dir(it).unwrap().flatten());
    let is_hidden = |path: &PathBuf| path.to_string_lossy().contains("/.io-shared.");
    entries.map(|entry| entry.path()).filter(is_hidden).collect()
}

/// An act, and where it happens.
struct Act {
    what: &'static str,
    before: fn(&Ground),
    act: fn(&Ground) -> Result<()>,
    /// What must hold of the ground after the act failed.
    kept: fn(&Ground) -> bool,
}

fn nothing(_: &Ground) {}

fn nothing_is_left(ground: &Ground) -> bool {
    !ground.name.path().exists() && !ground.file.exists()
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
        act: |ground| ground.channel().consumer_name("viewer").consumer().map(drop),
        kept: the_value_is_there,
    },
    Act {
        what: "join with more values to hold",
        before: a_channel,
        act: |ground| ground.channel().holds(3).consumer().map(drop),
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
        // The old name is removed before the new one is linked. If linking fails, there is none.
        kept: |ground| the_value_is_there(ground) || nothing_is_left(ground),
    },
    Act {
        what: "remove",
        before: a_channel,
        act: |ground| Channel::remove(&ground.name),
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
            // With a call that the library does not use and that is not watched.
            let received = producer.as_fd().unwrap();
            let received = nix::unistd::dup(received).unwrap();
            // It adds buffers. There is no name that leads to the file.
            Channel::<u64>::from_fd(received).holds(4).consumer().map(drop)
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
        act: |ground| RwSharedMmap::file(&ground.file).size(64).open().map(drop),
        kept: nothing_is_left,
    },
    Act {
        what: "create state",
        before: nothing,
        act: |ground| Shared::<u64>::open(&*ground.name)?.update(|value| *value += 1),
        // The call that failed may have been the update's.
        kept: |ground| Shared::<u64>::open(&*ground.name).unwrap().get().is_ok_and(|v| v <= 1),
    },
    Act {
        what: "create bytes without a lock",
        before: nothing,
        act: |ground| UnsafeSharedMmap::named(&*ground.name).size(64).open().map(drop),
        kept: nothing_is_left,
    },
];

/// In the traced process: the act with its fault, the checks after it, and the act again. Returns
/// the outcome of the first.
fn perform(act: &Act, ground: &Ground) -> String {
    (act.before)(ground);
    let (before, hidden) = (footprint(), hidden_names(ground));
    let done = injector::watched(|| (act.act)(ground));
    assert_eq!(footprint(), before, "left behind after {done:?}");
    // Those of other programs come and go.
    let left_hidden = || hidden_names(ground).difference(&hidden).count();
    eventually(&format!("no hidden names after {done:?}"), || left_hidden() == 0);
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

/// Whether this is the right error for a program whose system call returned `errno`.
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

/// Makes every watched call of `acts` fail, in each way that `injector::failures` names. The calls
/// that `always` names fail as well.
fn fail_every_call_of(acts: &[Act], always: Option<(&str, Errno)>) {
    let (mut runs, mut table) = (0, BTreeMap::<String, BTreeMap<String, usize>>::new());
    let mut failed = Vec::new();
    for act in acts {
        let run = |faults: &[Fault]| {
            let ground = Ground::new();
            injector::run(faults, || perform(act, &ground)).unwrap()
        };
        let standing: Vec<_> = always
            .and_then(|(name, errno)| {
                let is_it = |call| injector::failures(call).is_some_and(|(found, _)| found == name);
                let calls = run(&[]).calls;
                let at = calls.iter().position(is_it)?;
                Some(Fault { at, number: calls.get(at)?.number, errno })
            })
            .into_iter()
            .collect();
        assert_eq!(standing.is_empty(), always.is_none(), "{}", act.what);
        let clean = run(&standing);
        assert_eq!(clean.said, "done", "{}", act.what);
        assert!(matches!(clean.status, WaitStatus::Exited(_, 0)), "{:?}", clean.status);
        assert!(clean.calls.len() > 3, "{}: hardly a call: {:?}", act.what, clean.calls);
        for (at, call) in clean.calls.iter().enumerate() {
            let (name, errnos) = injector::failures(call)
                .unwrap_or_else(|| panic!("{}: {call:?} is not known", act.what));
            if name == "unlink" && always.is_some() {
                continue;
            }
            for errno in errnos {
                let mut faults = vec![Fault { at, number: call.number, errno: *errno }];
                faults.extend(&standing);
                let due = 1 + standing.iter().filter(|fault| fault.at < at).count();
                // The library looks at the hidden names of other programs, which come and go; so do
                // its calls.
                let mut attempts = std::iter::repeat_with(|| run(&faults)).take(50);
                let Some(trace) = attempts.find(|trace| trace.failed >= due) else {
                    let calls = run(&standing).calls;
                    let is_there = calls.get(at).is_some_and(|now| now.number == call.number);
                    assert!(!is_there, "{}: it is not reached: {call:?}", act.what);
                    continue;
                };
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
    assert!(runs > 40 * acts.len(), "{runs} runs");
}

/// Fault 38.
#[test]
fn whatever_call_of_a_channel_fails_is_a_typed_error_that_leaves_nothing_behind() {
    fail_every_call_of(CHANNELS, None);
}

/// Fault 38, for the other backings and for locks.
#[test]
fn whatever_call_of_a_file_a_descriptor_or_a_lock_fails_is_a_typed_error_too() {
    fail_every_call_of(BACKINGS, None);
}

/// Fault 38, where the kernel creates no nameless files. (A hidden name that cannot be unlinked
/// stays until it is swept, so that call is not among these.)
#[test]
fn whatever_call_fails_while_a_file_has_a_hidden_name_leaves_no_such_name() {
    let creating = BACKINGS.get(..1).unwrap();
    fail_every_call_of(creating, Some(("openat (creating)", Errno::EOPNOTSUPP)));
}

/// A security profile that confines a program to certain names (a snap's) refuses both the nameless
/// file and the hidden name.
#[test]
fn a_program_that_may_not_make_hidden_names_creates_under_its_own() {
    let creating = |act: &&Act| act.what.starts_with("create a") || act.what == "replace";
    let named = CHANNELS.iter().chain(BACKINGS).filter(creating);
    let named: Vec<_> = named.filter(|act| !act.what.contains("anonymous")).collect();
    assert!(named.len() > 5);
    for (refused, act) in
        [&[Errno::EACCES][..], &[Errno::EPERM], &[Errno::EOPNOTSUPP, Errno::EACCES]]
            .into_iter()
            .flat_map(|refused| named.iter().map(move |act| (refused, act)))
    {
        let run = |faults: &[Fault]| {
            let ground = Ground::new();
            injector::run(faults, || perform(act, &ground)).unwrap()
        };
        let creates =
            |call: &injector::Call| injector::failures(call).unwrap().0 == "openat (creating)";
        // The library looks at the hidden names of other programs, which come and go; so do its
        // calls.
        let mut attempts = std::iter::repeat_with(|| {
            let mut faults = Vec::new();
            for errno in refused {
                let calls = run(&faults).calls;
                let mut all = (0..calls.len()).filter(|at| creates(&calls[*at]));
                let Some(at) = all.nth(faults.len()) else { break };
                faults.push(Fault { at, number: calls[at].number, errno: *errno });
            }
            run(&faults)
        });
        let trace = attempts.by_ref().take(50).find(|trace| trace.failed == refused.len());
        assert_eq!(trace.unwrap().said, "done", "{}", act.what);
    }
}

/// On a file system that cannot reserve space, such as ext3, zeros are written.
#[test]
fn whatever_call_fails_while_room_is_made_by_writing_zeros_is_a_typed_error_too() {
    let creating = ["create a file", "create a lock for readers"];
    let acts = BACKINGS.iter().filter(|act| creating.contains(&act.what));
    assert_eq!(acts.clone().count(), creating.len());
    for act in acts {
        fail_every_call_of(std::slice::from_ref(act), Some(("fallocate", Errno::EOPNOTSUPP)));
    }
}

/// Or the profile allows nameless files, and refuses to link one, or its path through /proc.
#[test]
fn a_program_that_may_not_link_hidden_names_creates_under_its_own() {
    let creating = |act: &&Act| act.what.starts_with("create a") || act.what == "replace";
    let named = CHANNELS.iter().chain(BACKINGS).filter(creating);
    for act in named.filter(|act| !act.what.contains("anonymous")) {
        let run = |faults: &[Fault]| {
            let ground = Ground::new();
            injector::run(faults, || perform(act, &ground)).unwrap()
        };
        let name_of = |call: &injector::Call| injector::failures(call).unwrap().0;
        let nameless = run(&[]).calls;
        let creates =
            nameless.iter().position(|call| name_of(call) == "openat (creating)").unwrap();
        let number = nameless[creates].number;
        let hidden = [Fault { at: creates, number, errno: Errno::EOPNOTSUPP }];
        for (before, errno) in [
            (&[][..], Errno::EACCES),
            (&[], Errno::EPERM),
            (&hidden, Errno::EACCES),
            (&hidden, Errno::EPERM),
        ] {
            let is_link = |call: &injector::Call| name_of(call) == "linkat";
            // The library checks the hidden names of other programs, which come and go; so do its
            // calls.
            let refuse = |before: &[Fault], last: bool| {
                let attempts = std::iter::repeat_with(|| {
                    let calls = run(before).calls;
                    let at = match last {
                        true => calls.iter().rposition(is_link).unwrap(),
                        false => calls.iter().position(is_link).unwrap(),
                    };
                    let refused = Fault { at, number: calls[at].number, errno };
                    let faults: Vec<_> = before.iter().copied().chain([refused]).collect();
                    (run(&faults), faults)
                });
                let mut attempts = attempts.take(50);
                attempts.find(|(trace, faults)| trace.failed == faults.len()).unwrap()
            };
            let (trace, faults) = refuse(before, false);
            assert_eq!(trace.said, "done", "{}: {errno:?}", act.what);
            let links = trace.calls.iter().filter(|call| is_link(call)).count();
            assert_eq!(links, 2, "{}: {errno:?}", act.what);
            // If this is refused as well, the error says so, and there is no third attempt.
            let (trace, _) = refuse(&faults, true);
            assert!(is_fair(errno, &trace.said) && trace.said != "done", "{}", trace.said);
            let links = trace.calls.iter().filter(|call| is_link(call)).count();
            assert_eq!(links, 2, "{}: {errno:?}", act.what);
        }
        let opened = nameless[creates..].iter().position(|call| name_of(call) == "openat");
        let at = creates + opened.unwrap();
        let trace = run(&[Fault { at, number: nameless[at].number, errno: Errno::EACCES }]);
        assert_eq!((&*trace.said, trace.failed), ("done", 1), "{}: through /proc", act.what);
    }
}

/// Fault 52: `fs.protected_regular` refuses O_CREAT on another user's object.
#[test]
fn what_exists_is_opened_without_asking_to_create_it() {
    let opens = ["open, put and get", "open as a named consumer", "observe", "remove"];
    let acts = CHANNELS.iter().filter(|act| opens.contains(&act.what));
    assert_eq!(acts.clone().count(), opens.len());
    for act in acts {
        let ground = Ground::new();
        let calls = injector::run(&[], || perform(act, &ground)).unwrap().calls;
        let name_of = |call| injector::failures(call).map(|(name, _)| name);
        assert!(calls.iter().any(|call| name_of(call) == Some("openat")), "{}", act.what);
        let creating = calls.iter().find(|call| name_of(call) == Some("openat (creating)"));
        assert!(creating.is_none(), "{}: {creating:?}", act.what);
    }
}
