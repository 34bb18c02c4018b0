//! Creating a region: it appears whole, with its creator's claim, or not at all.
//!
//! The file is made without a name (O_TMPFILE), sized, written, claimed, and only then linked. A
//! creator killed at any instruction leaves nothing visible. Where the kernel has no nameless files
//! or /proc is not mounted, a hidden name takes their place, and those of dead creators are swept.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, OFlag};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::Mode;
use nix::unistd::linkat;
use zerocopy::IntoBytes;

use super::open::{Attached, Found, identity_of, io_error};
use super::{Region, Role, Spec};
use crate::claim::{Claims, Part};
use crate::crash_point::{CrashPoint, reached};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{self, Layout, LayoutError, MAGIC};
use crate::name::{DIRECTORY, Name, UNFINISHED};

/// How old a hidden name of a dead creator is before it is swept: younger ones may belong to a
/// creator between its open and its lock.
const SWEPT_AFTER: Duration = Duration::from_secs(10);

/// What a new region would be.
pub(super) struct Planned {
    layout: Layout,
    schema_text: String,
    schema_hash: u64,
}

pub(super) fn page_size() -> u32 {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}

/// The region that `role` would create; `None` for who cannot: an observer, or who knows no
/// capacity.
pub(super) fn plan(name: &Name, role: &Role, spec: &Spec) -> Result<Option<Planned>> {
    let (Some(schema), Some(capacity)) = (&spec.schema, spec.capacity) else {
        return Ok(None);
    };
    let text = schema.to_json();
    let layout = Layout::plan(
        spec.consumers.unwrap_or(1),
        spec.holds.unwrap_or(1),
        capacity,
        u32::try_from(schema.root().shape().align).unwrap_or(u32::MAX),
        u32::try_from(text.len()).unwrap_or(u32::MAX),
        page_size(),
    )
    .map_err(|error| refused(name, spec, error))?;
    let planned = Planned {
        layout,
        schema_text: text,
        schema_hash: schema.hash(),
    };
    Ok((*role != Role::Observer).then_some(planned))
}

pub(super) fn no_capacity(name: &Name) -> Error {
    let expected = "a producer of messages that end in a slice says how large they get, as in \
                    .capacity(\"5M\") or .elements(100_000); or it waits for a consumer that does, \
                    with .open_timeout()";
    Error::new(
        name,
        ErrorKind::BadOption {
            option: "capacity",
            found: "not given".into(),
            expected: expected.into(),
        },
    )
}

fn refused(name: &Name, spec: &Spec, error: LayoutError) -> Error {
    let show = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let (option, found, expected) = match error {
        LayoutError::Consumers => (
            "consumers",
            show(spec.consumers),
            "a channel has at least one consumer slot".into(),
        ),
        LayoutError::Holds => {
            let most = layout::MOST_HOLDS;
            (
                "holds",
                show(spec.holds),
                format!("a consumer holds 1 to {most} values"),
            )
        }
        LayoutError::Buffers => {
            let most = layout::MOST_BUFFERS - 2;
            (
                "consumers",
                show(spec.consumers),
                format!("consumers x holds is at most {most}"),
            )
        }
        LayoutError::Align => {
            let what = "messages are aligned to a page at most".to_owned();
            return Error::new(name, ErrorKind::Unsupported { what });
        }
        LayoutError::Schema => {
            let what = "the type's description is longer than 1 MiB".to_owned();
            return Error::new(name, ErrorKind::Unsupported { what });
        }
        LayoutError::Size => (
            "capacity",
            spec.capacity
                .map_or_else(String::new, |capacity| capacity.to_string()),
            "the region must stay below 2^63 bytes".into(),
        ),
    };
    Error::new(
        name,
        ErrorKind::BadOption {
            option,
            found,
            expected,
        },
    )
}

/// Creates the region and enters it in `role`. `None`: another was faster.
pub(super) fn create(
    name: &Name,
    role: &Role,
    spec: &Spec,
    planned: &Planned,
) -> Result<Option<Attached>> {
    let needed = planned.layout.total_size;
    check_file_size_limit(name, needed)?;
    let unlinked = Unlinked::new(name)?;
    let file = unlinked.file();
    let failed = |call: &'static str| move |errno| Error::system(name, call, errno);

    // fchmod, since the umask has cut the mode that open was given.
    nix::sys::stat::fchmod(file, Mode::from_bits_truncate(spec.mode.unwrap_or(0o600)))
        .map_err(failed("fchmod"))?;
    // Not ftruncate: on a full tmpfs that succeeds, and the first touch is SIGBUS.
    nix::fcntl::fallocate(file, FallocateFlags::empty(), 0, needed as i64).map_err(|errno| {
        match errno {
            Errno::ENOSPC => Error::new(
                name,
                ErrorKind::NoSpace {
                    needed,
                    directory: DIRECTORY.into(),
                },
            ),
            errno => Error::system(name, "fallocate", errno),
        }
    })?;
    reached(CrashPoint::RegionSized);

    let write = |bytes: &[u8], offset: u64| {
        file.write_all_at(bytes, offset)
            .map_err(|error| io_error(name, "pwrite", &error))
    };
    let prelude = planned.layout.prelude(instance(file), planned.schema_hash);
    let after_magic = prelude.as_bytes().get(MAGIC.len()..).unwrap_or_default();
    write(
        planned.schema_text.as_bytes(),
        planned.layout.schema_offset.into(),
    )?;
    write(after_magic, MAGIC.len() as u64)?;
    reached(CrashPoint::RegionWritten);
    write(&MAGIC, 0)?;

    let claims = unlinked
        .reopen(OFlag::O_RDWR)
        .and_then(Claims::new)
        .map_err(failed("open"))?;
    let found = Found {
        name: name.clone(),
        identity: identity_of(name, file)?,
        size: needed,
        claims: Some(claims),
        file: file
            .try_clone()
            .map_err(|error| io_error(name, "dup", &error))?,
        prelude,
    };
    let read_only = match role {
        Role::Consumer { .. } => Some(File::from(
            unlinked.reopen(OFlag::O_RDONLY).map_err(failed("open"))?,
        )),
        _ => None,
    };
    let schema = spec
        .schema
        .clone()
        .unwrap_or_else(|| unreachable!("a plan has a schema"));
    let region = Region::map(
        found,
        role,
        spec,
        planned.layout,
        schema,
        read_only.as_ref(),
    )?;
    let side = region.claim(role)?;
    reached(CrashPoint::RegionClaimed);
    if !unlinked.link(&name.path()).map_err(failed("linkat"))? {
        return Ok(None);
    }
    reached(CrashPoint::RegionLinked);
    tracing::info!(region = region.name(), bytes = needed, ?role, "created");
    Ok(Some(Attached { region, side }))
}

/// Above this limit the kernel does not fail a write or fallocate, but sends SIGXFSZ.
fn check_file_size_limit(name: &Name, needed: u64) -> Result<()> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((limit, _)) if limit != RLIM_INFINITY && limit < needed => {
            Err(Error::new(name, ErrorKind::FileSizeLimit { needed, limit }))
        }
        _ => Ok(()),
    }
}

/// A number that no other region of this name is likely to have.
fn instance(file: &File) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds this from the kernel's random numbers.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(file.metadata().map_or(0, |metadata| metadata.ino()));
    hasher.write_u64(crate::clock::now());
    hasher.finish()
}

/// Another open description of `file`'s object. ENOENT where /proc is not mounted.
fn reopen(file: &File, access: OFlag) -> std::result::Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    nix::fcntl::open(path.as_str(), access | OFlag::O_CLOEXEC, Mode::empty())
}

/// A file that is not visible under its name yet.
enum Unlinked {
    Nameless(File),
    /// Under a hidden name, which goes when this is dropped.
    Hidden(File, PathBuf),
}

impl Unlinked {
    fn new(name: &Name) -> Result<Self> {
        Self::nameless()
            .or_else(|errno| match errno {
                // No O_TMPFILE on this file system (EISDIR: on this kernel), or no /proc.
                Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT => Self::hidden(),
                errno => Err(errno),
            })
            .map_err(|errno| Error::system(name, "open", errno))
    }

    fn nameless() -> std::result::Result<Self, Errno> {
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let file = File::from(nix::fcntl::open(
            DIRECTORY,
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )?);
        // Linking it will go through /proc.
        drop(reopen(&file, OFlag::O_RDONLY)?);
        Ok(Self::Nameless(file))
    }

    fn hidden() -> std::result::Result<Self, Errno> {
        sweep();
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        loop {
            let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
            let path = Path::new(DIRECTORY).join(format!("{UNFINISHED}{random:016x}"));
            match nix::fcntl::open(&path, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(descriptor) => return Ok(Self::Hidden(descriptor.into(), path)),
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Nameless(file) | Self::Hidden(file, _) => file,
        }
    }

    fn reopen(&self, access: OFlag) -> std::result::Result<OwnedFd, Errno> {
        match self {
            Self::Nameless(file) => reopen(file, access),
            Self::Hidden(_, path) => nix::fcntl::open(
                path,
                access | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW,
                Mode::empty(),
            ),
        }
    }

    /// Makes the file visible. `false`: the name is taken.
    fn link(&self, to: &Path) -> std::result::Result<bool, Errno> {
        let linked = match self {
            Self::Nameless(file) => {
                let from = format!("/proc/self/fd/{}", file.as_raw_fd());
                linkat(
                    AT_FDCWD,
                    from.as_str(),
                    AT_FDCWD,
                    to,
                    AtFlags::AT_SYMLINK_FOLLOW,
                )
            }
            Self::Hidden(_, path) => linkat(AT_FDCWD, path, AT_FDCWD, to, AtFlags::empty()),
        };
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EEXIST) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

impl Drop for Unlinked {
    fn drop(&mut self) {
        if let Self::Hidden(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes the hidden names of creators that were killed. One that lives has its claim.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else {
        return;
    };
    for entry in entries.flatten() {
        let stale = entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|at| {
                    SystemTime::now()
                        .duration_since(at)
                        .is_ok_and(|age| age > SWEPT_AFTER)
                });
        let unused = || {
            let file = File::options()
                .read(true)
                .write(true)
                .open(entry.path())
                .ok()?;
            let claims = Claims::new(file.into()).ok()?;
            claims.try_claim(Part::Roles).ok()?.then_some(())
        };
        if stale && unused().is_some() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
