//! Opens whatever is at a site, in a role, and uses it a little.
//!
//! Every outcome is right except a panic, a signal, a hang, and a value outside the region; `check`
//! panics on the last.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use io_shared::{
    Bytes, BytesMut, Channel, LockError, Message, Result, RwSharedMmap, Shared, SharedMmap,
};

use super::specimen::{Detections, Pose, Scan, Shape};

/// Where the bytes are.
#[derive(Debug)]
pub enum Site {
    /// In anonymous memory.
    Descriptor(File),
    /// In shared memory, under this name.
    Shm(String),
    /// In a file.
    File(PathBuf),
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Of a channel.
    Observer,
    /// Of a channel.
    Consumer,
    /// Of a channel.
    Producer,
    /// Of the others.
    Locker,
}

impl Shape {
    /// The order in which a region of the shape is visited: roles that change nothing come first,
    /// and the consumer visits again at the end.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Number | Self::Scan | Self::Lists => {
                &[Role::Observer, Role::Consumer, Role::Producer, Role::Consumer]
            }
            _ => &[Role::Locker, Role::Locker],
        }
    }
}

macro_rules! at {
    ($site:expr, $Type:ty) => {
        match $site {
            Site::Shm(name) => <$Type>::named(name),
            Site::File(path) => <$Type>::file(path),
            Site::Descriptor(file) => match file.try_clone() {
                Ok(file) => <$Type>::from_fd(file),
                Err(_) => <$Type>::anonymous(), // out of descriptors: opening says NotFound
            },
        }
    };
}

impl Site {
    /// The channel there. Opening it does not wait.
    pub fn channel<T: Message + ?Sized>(&self) -> Channel<T> {
        at!(self, Channel<T>).open_timeout(Duration::ZERO)
    }

    /// The locked mmap there.
    ///
    /// # Errors
    /// If there is none.
    pub fn mmap(&self) -> Result<SharedMmap> {
        at!(self, SharedMmap).open()
    }

    /// The reader-writer mmap there.
    ///
    /// # Errors
    /// If there is none.
    pub fn rw_mmap(&self) -> Result<RwSharedMmap> {
        at!(self, RwSharedMmap).open()
    }

    /// The typed state there.
    ///
    /// # Errors
    /// If there is none.
    pub fn state(&self) -> Result<Shared<Pose>> {
        at!(self, Shared<Pose>).open()
    }
}

/// Opens what is there as `role` of `shape`, and uses it.
///
/// # Errors
/// If it cannot be opened.
///
/// # Panics
/// If a value that it gets is outside the region.
pub fn visit(site: &Site, shape: Shape, role: Role) -> Result<()> {
    match shape {
        Shape::Number => visit_channel(&site.channel::<u64>(), role, 0),
        Shape::Scan => visit_channel(&site.channel::<Scan>(), role, 5),
        Shape::Lists => visit_channel(&site.channel::<Detections>(), role, 5),
        Shape::Mmap => visit_lock(site.mmap()?),
        Shape::RwMmap => visit_lock(site.rw_mmap()?),
        Shape::State => visit_lock(site.state()?),
    }
}

fn visit_channel<T: Message + ?Sized + Elements>(
    channel: &Channel<T>,
    role: Role,
    elements: usize,
) -> Result<()> {
    match role {
        Role::Observer => {
            let mut observer = channel.clone().observer()?;
            if let Ok(Some(value)) = told(observer.copy()) {
                check(&*value, u64::MAX);
            }
        }
        Role::Consumer => {
            let mut consumer = channel.clone().consumer()?;
            let capacity = consumer.capacity();
            if let Ok(Some(value)) = told(consumer.try_get()) {
                check(&*value, capacity);
                let _ = value.age();
            }
            if let Ok(Some(value)) = told(consumer.latest()) {
                check(&*value, capacity);
            }
            // Another joins, for which there are too few buffers.
            let _ = told(channel.clone().holds(3).consumer());
        }
        Role::Producer => {
            let mut producer = channel.clone().producer()?;
            for _ in 0..3 {
                if told(T::put(&mut producer, elements)).is_err() {
                    break;
                }
            }
            let _ = told(producer.wait_taken(Duration::ZERO));
        }
        Role::Locker => {}
    }
    Ok(())
}

fn visit_lock<L: Lock>(mut lock: L) -> Result<()> {
    let _ = told(lock.change(Duration::ZERO));
    let _ = told(lock.look(Duration::ZERO));
    Ok(())
}

/// Formats an error: its text may contain what the region says about its users.
pub(super) fn told<T>(result: Result<T>) -> Result<T> {
    if let Err(error) = &result {
        assert!(error.to_string().len() < 4 << 20, "an error's text is bounded");
    }
    result
}

/// Reads the ends of a value, which must not be longer than the region's capacity, and its lists.
pub(super) fn check<T: Elements + ?Sized>(value: &T, capacity: u64) {
    let bytes = value.as_bytes();
    assert!(bytes.len() as u64 <= capacity, "{} bytes of {capacity}", bytes.len());
    touch(bytes);
    value.look();
}

pub(super) fn touch(bytes: &[u8]) {
    let ends = bytes.iter().take(8192).chain(bytes.iter().rev().take(8192));
    std::hint::black_box(ends.fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
}

/// A message that is put with `elements` elements.
pub(super) trait Elements: Message {
    fn put(producer: &mut io_shared::Producer<Self>, elements: usize) -> Result<u64>;

    /// Reads what the message has lists of.
    fn look(&self) {}
}

impl Elements for u64 {
    fn put(producer: &mut io_shared::Producer<u64>, elements: usize) -> Result<u64> {
        producer.put(&(elements as u64))
    }
}

impl Elements for Scan {
    fn put(producer: &mut io_shared::Producer<Scan>, elements: usize) -> Result<u64> {
        let mut loan = producer.loan_len(elements)?;
        loan.points.fill(7);
        loan.put()
    }
}

impl Elements for Detections {
    fn put(producer: &mut io_shared::Producer<Detections>, elements: usize) -> Result<u64> {
        let mut loan = producer.loan_lists(Detections::sizes(elements))?;
        if elements % 4 == 3 {
            let loan = &mut *loan;
            std::mem::swap(&mut loan.boxes, &mut loan.others);
        }
        // Whatever another process makes of the words meanwhile.
        let mut lists = loan.lists_mut();
        let mut ranges = [
            addresses(lists.boxes.as_bytes()),
            addresses(lists.others.as_bytes()),
            addresses(lists.names.as_bytes()),
            addresses(lists.image.as_mut_slice()),
        ];
        lists.boxes.fill([0.5; 4]);
        lists.others.fill([1.5; 4]);
        lists.names.fill(io_shared::Text::truncated("car"));
        lists.image.as_mut_slice().fill(7);
        ranges.sort_by_key(|range| (range.is_empty(), range.start));
        let used = ranges.iter().filter(|range| !range.is_empty());
        assert!(used.is_sorted_by(|one, next| one.end <= next.start), "{ranges:x?} overlap");
        let inside = addresses(loan.as_bytes());
        let is_inside = |range: &Range<usize>| {
            range.is_empty() || (inside.start <= range.start && range.end <= inside.end)
        };
        assert!(ranges.iter().all(is_inside), "{ranges:x?} in {inside:x?}");
        loan.put()
    }

    // Not the bool and the enum, which a writer of the bytes may have changed since the get.
    fn look(&self) {
        let inside = addresses(self.as_bytes());
        let image = self.image();
        let lists = [self.boxes().as_bytes(), self.others().as_bytes(), self.names().as_bytes()];
        for list in lists.into_iter().chain([image.as_slice()]) {
            let at = addresses(list);
            let is_inside = inside.start <= at.start && at.end <= inside.end;
            assert!(list.is_empty() || is_inside, "{at:x?} in {inside:x?}");
            touch(list);
        }
        let elements = image.shape().into_iter().try_fold(1_usize, usize::checked_mul);
        assert!(elements == Some(image.as_slice().len()) || image.shape().contains(&0));
    }
}

/// Where bytes lie.
fn addresses(bytes: &[u8]) -> Range<usize> {
    let bytes = bytes.as_ptr_range();
    bytes.start.addr()..bytes.end.addr()
}

/// What the three kinds of locked regions have in common.
pub(super) trait Lock: Sized {
    fn open(site: &Site) -> Result<Self>;
    fn change(&mut self, wait: Duration) -> Result<()>;
    fn look(&mut self, wait: Duration) -> Result<()>;
    /// Takes the lock and never releases it.
    fn keep(&mut self);
}

/// The guard, with or without a warning.
fn any<G>(locked: std::result::Result<G, LockError<G>>) -> Result<G> {
    locked.or_else(LockError::into_guard)
}

macro_rules! lock {
    ($Type:ty, $open:ident, $write:ident, $read:ident) => {
        impl Lock for $Type {
            fn open(site: &Site) -> Result<Self> {
                site.$open()
            }

            fn change(&mut self, wait: Duration) -> Result<()> {
                let mut guard = any(self.$write(wait))?;
                touch(guard.as_bytes());
                if let Some(byte) = guard.as_bytes_mut().last_mut() {
                    *byte = byte.wrapping_add(1);
                }
                guard.mark_consistent();
                Ok(())
            }

            fn look(&mut self, wait: Duration) -> Result<()> {
                any(self.$read(wait)).map(|guard| touch(guard.as_bytes()))
            }

            fn keep(&mut self) {
                let _ = any(self.$write(Duration::ZERO)).map(std::mem::forget);
            }
        }
    };
}
lock!(SharedMmap, mmap, lock_timeout, lock_timeout);
lock!(RwSharedMmap, rw_mmap, write_timeout, read_timeout);

impl Lock for Shared<Pose> {
    fn open(site: &Site) -> Result<Self> {
        site.state()
    }

    fn change(&mut self, wait: Duration) -> Result<()> {
        let mut pose = any(self.write_timeout(wait))?;
        pose.quality = pose.quality.wrapping_add(1);
        pose.mark_consistent();
        Ok(())
    }

    fn look(&mut self, wait: Duration) -> Result<()> {
        any(self.read_timeout(wait)).map(|pose| touch(pose.as_bytes()))
    }

    fn keep(&mut self) {
        let _ = any(self.write_timeout(Duration::ZERO)).map(std::mem::forget);
    }
}
