//! `io-shared doctor`: what is wrong on this machine, and what to do.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared::inspect::{self, Content, Entry, Kind, Region};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use serde_json::json;

use crate::advice;
use crate::failure::Failure;
use crate::list;
use crate::named;
use crate::out::{Out, plain};
use crate::people;
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Look at this channel alone: why does mine not open?
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::all))]
    name: Option<String>,
}

/// Something that was looked at.
struct Finding {
    about: String,
    what: String,
    /// What to do. `None`: nothing is wrong.
    cure: Option<String>,
}

impl Finding {
    fn good(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self { about: about.into(), what: what.into(), cure: None }
    }

    fn bad(about: impl Into<String>, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { about: about.into(), what: what.into(), cure: Some(cure.into()) }
    }
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let mut findings = Vec::new();
    match &options.name {
        Some(name) => of_entry(&list::entry(name)?, true, &mut findings),
        None => {
            of_memory(&mut findings);
            of_limits(&mut findings);
            of_kernel(&mut findings);
            let entries = inspect::channels()?;
            entries.iter().for_each(|entry| of_entry(entry, false, &mut findings));
            of_unused(&entries, &mut findings);
        }
    }
    for Finding { about, what, cure } in &findings {
        if out.json {
            out.object(&json!({"about": about, "ok": cure.is_none(), "what": what, "cure": cure}))?;
            continue;
        }
        let mark = if cure.is_none() { "ok     " } else { "problem" };
        out.line(format_args!("{mark}  {}: {}", out.bold(&plain(about)), plain(what)))?;
        if let Some(cure) = cure {
            out.line(format_args!("         {}", plain(cure)))?;
        }
    }
    let (list, clean) = (advice::command("list"), advice::command("clean"));
    out.advise(format_args!("\nWhat is there: {list}. What may be deleted: {clean}"))?;
    out.flush()?;
    let problems = findings.iter().filter(|finding| finding.cure.is_some()).count();
    match problems {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 problem".to_owned())),
        many => Err(Failure::Failed(format!("{many} problems"))),
    }
}

fn of_memory(findings: &mut Vec<Finding>) {
    let about = "room in /dev/shm";
    let Ok(found) = statvfs("/dev/shm") else {
        let cure = "mount a tmpfs at /dev/shm";
        return findings.push(Finding::bad(about, "/dev/shm is not there", cure));
    };
    let unit = found.fragment_size();
    let (free, all) = (found.blocks_available() * unit, found.blocks() * unit);
    let what = format!("{} of {} are free", units::bytes(free), units::bytes(all));
    let is_tight = free < all / 20 || free < 16 << 20;
    findings.push(match is_tight {
        false => Finding::good(about, what),
        true => Finding::bad(
            about,
            what,
            format!(
                "remove what nobody uses ({}), or make it larger: mount -o remount,size=2G \
                 /dev/shm, in a container --shm-size=2g",
                advice::command("clean")
            ),
        ),
    });
}

fn of_limits(findings: &mut Vec<Finding>) {
    let limit = |resource| getrlimit(resource).map_or(u64::MAX, |(soft, _)| soft);
    let about = "limits of this shell";
    let (files, size) = (limit(Resource::RLIMIT_NOFILE), limit(Resource::RLIMIT_FSIZE));
    let space = limit(Resource::RLIMIT_AS);
    if size != u64::MAX {
        let what = format!("no file may be larger than {}", units::bytes(size));
        let cure = "channels that are larger cannot be created: ulimit -f unlimited";
        findings.push(Finding::bad(about, what, cure));
    }
    if space != u64::MAX {
        let what = format!("a process may map {}", units::bytes(space));
        let cure = "a channel is mapped whole by whoever opens it: ulimit -v unlimited";
        findings.push(Finding::bad(about, what, cure));
    }
    if files < 256 {
        let what = format!("a process may have {files} files open");
        findings.push(Finding::bad(about, what, "each handle needs two or three: ulimit -n 1024"));
    }
    if size == u64::MAX && space == u64::MAX && files >= 256 {
        findings.push(Finding::good(about, format!("{files} open files, sizes unlimited")));
    }
}

fn of_kernel(findings: &mut Vec<Finding>) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    findings.push(of_release(release.trim()));
}

fn of_release(release: &str) -> Finding {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match version {
        (0, 0) => Finding::bad(
            "kernel",
            "/proc is not mounted",
            "mount it: without /proc, nobody knows boots, namespaces and commands",
        ),
        version if version < (3, 15) => Finding::bad(
            "kernel",
            format!("{release} has no OFD locks"),
            "claims need Linux 3.15 or later",
        ),
        version if version < (5, 16) => Finding::good(
            "kernel",
            format!(
                "{release}; waits for several channels look up to 1,000 times a second, and end up \
                 to 1 ms late (5.16 sleeps)"
            ),
        ),
        _ => Finding::good("kernel", release),
    }
}

/// What nobody uses any more, which is nothing wrong.
fn of_unused(entries: &[Entry], findings: &mut Vec<Finding>) {
    let unused: Vec<_> = entries.iter().filter(|entry| entry.idle().is_some()).collect();
    let bytes = units::bytes(unused.iter().map(|entry| entry.allocated).sum());
    let clean = advice::command("clean --older 0s");
    findings.push(Finding::good(
        "leftovers",
        match unused.len() {
            0 => "none: everything is in use".to_owned(),
            1 => format!("nobody uses {}, {bytes} (see {clean})", plain(&unused[0].name)),
            many => format!("nobody uses {many} of {}, {bytes} (see {clean})", entries.len()),
        },
    ));
}

/// What is wrong with an object. `in_full`: says also that nothing is.
fn of_entry(entry: &Entry, in_full: bool, findings: &mut Vec<Finding>) {
    let name = plain(&entry.name);
    let owner = people::user(entry.uid);
    let is_mine = geteuid().is_root() || geteuid().as_raw() == entry.uid;
    let before = findings.len();
    let rm = advice::command(&format!("rm {}", advice::word(entry)));
    let remove = if is_mine { rm } else { format!("{owner} or root can remove it: {rm}") };
    match &entry.content {
        Content::Refused => findings.push(Finding::bad(
            &name,
            format!("it belongs to {owner}, mode {:04o}, and you may not read it", entry.mode),
            format!(
                "use another name or another domain (IO_SHARED_DOMAIN), or have {owner} create it \
                 with .mode(0o660) and a group of both"
            ),
        )),
        Content::OtherVersion { version, is_used } => findings.push(Finding::bad(
            &name,
            format!("it has layout version {version}"),
            match is_used {
                true => "programs with another version of io-shared use it: update them".to_owned(),
                false => format!("nobody uses it; a new producer replaces it, or {remove}"),
            },
        )),
        Content::Damaged { what, is_used } => findings.push(Finding::bad(
            &name,
            format!("it is damaged: {what}"),
            match is_used {
                true => format!("stop the programs that use it, then {remove}"),
                false => remove,
            },
        )),
        Content::Region(region) => of_region(entry, region, in_full, findings),
        Content::Foreign { what } if in_full => findings.push(Finding::bad(
            &name,
            format!("it is not a region: {what}"),
            "another program has this name: use another one",
        )),
        _ => {}
    }
    if in_full && findings.len() == before {
        let info = advice::command(&format!("info {}", advice::word(entry)));
        findings.push(Finding::good(&name, format!("it can be opened; see {info}")));
    }
}

/// Whether it is the bell of a service whose server waits for clients.
fn is_bell(entry: &Entry) -> bool {
    let server = entry.name.strip_suffix("/bell").map(|service| format!("{service}/server"));
    server
        .is_some_and(|server| named::location(&server).is_ok_and(|at| inspect::entry(&at).is_ok()))
}

fn of_region(entry: &Entry, region: &Region, in_full: bool, findings: &mut Vec<Finding>) {
    let name = plain(&entry.name);
    let command =
        |verb: &str, more: &str| advice::command(&format!("{verb} {}{more}", advice::word(entry)));
    let is_there = region.producer.as_ref().is_some_and(|producer| producer.is_connected);
    let consumers = region.consumers.iter().filter(|consumer| consumer.is_connected);
    let waiting: Vec<String> = consumers.map(people::who).collect();
    if region.is_being_replaced && in_full {
        findings.push(Finding::bad(
            &name,
            "somebody is replacing or removing it",
            "this takes a moment; if it stays so, that program is stopped",
        ));
    }
    if region.kind != Kind::Channel {
        return;
    }
    if !is_there && !waiting.is_empty() && !is_bell(entry) {
        let last = region.producer.as_ref().map(people::who);
        let what = match last {
            Some(last) => format!("its producer {last} is gone, and {} wait", waiting.join(", ")),
            None => format!("it never had a producer, and {} wait", waiting.join(", ")),
        };
        findings.push(Finding::bad(&name, what, "start its producer"));
    }
    if waiting.len() as u32 >= region.slots {
        findings.push(Finding::bad(
            &name,
            format!("all {} consumer slots are taken: {}", region.slots, waiting.join(", ")),
            "end one, watch without a slot (an observer), or create it with .consumers(n)",
        ));
    }
    if in_full && !region.is_used() {
        let ty = plain(&region.type_name());
        findings.push(Finding::good(
            &name,
            format!(
                "nobody uses it; it has the type {ty} ({}). A producer of another type replaces \
                 it, and a consumer waits for one of its own type (or remove it: {})",
                command("info", " --schema rust"),
                command("rm", "")
            ),
        ));
    }
    if in_full && is_there {
        let producer = region.producer.iter().map(people::who).collect::<String>();
        let ty = plain(&region.type_name());
        findings.push(Finding::good(
            &name,
            format!(
                "it has the producer {producer}, so another producer gets RoleTaken; a consumer \
                 needs the type {ty} ({})",
                command("info", " --schema rust")
            ),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_told_with_what_is_slower_and_one_that_is_too_old_is_a_problem() {
        let of = of_release;
        assert_eq!((of("6.18.5").what.as_str(), of("5.16.0-1-amd64").cure), ("6.18.5", None));
        let old = of("5.15.0-91-generic");
        assert!(old.what.contains("up to 1,000 times a second") && old.cure.is_none());
        assert!(old.what.starts_with("5.15.0-91-generic; "), "{}", old.what);
        assert!(of("3.10.0").cure.is_some() && of("").cure.is_some());
    }
}
