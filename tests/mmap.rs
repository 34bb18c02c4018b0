//! Shared bytes used like files, compared with Python's `mmap.mmap` call by call.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use io_shared::mmap::{Bytes, BytesMut};
use io_shared::{
    Channel, Error, ErrorKind, Message, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap,
};
use test_support::{TestFile, TestName};

/// The kind of an io-shared error that went through an `io::Error`.
#[track_caller]
fn kind_in<T: std::fmt::Debug>(result: std::io::Result<T>) -> ErrorKind {
    let error = result.unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.expect("it carries ours").kind().clone()
}

fn unguarded(name: &str, size: u64) -> UnsafeSharedMmap {
    UnsafeSharedMmap::named(name).size(size).open().unwrap()
}

/// What all three must do, whatever guards them.
fn behaves_like_a_file(file: &mut (impl Read + Write + Seek)) {
    // write, tell, seek, read
    file.write_all(b"Hello, World!\nsecond\nthird").unwrap();
    assert_eq!(file.stream_position().unwrap(), 26);
    file.rewind().unwrap();
    let mut start = [0; 5];
    file.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"Hello");
    assert_eq!(file.seek(SeekFrom::Current(2)).unwrap(), 7);
    assert_eq!(file.seek(SeekFrom::End(-2)).unwrap(), 30);
    // returns at most what is left, and nothing at the end
    let mut rest = Vec::new();
    assert_eq!(file.read_to_end(&mut rest).unwrap(), 2);
    assert_eq!(file.read(&mut [0; 4]).unwrap(), 0);
    // a seek to the end succeeds; a seek beyond it fails and moves nothing
    assert_eq!(file.seek(SeekFrom::Start(32)).unwrap(), 32);
    for beyond in [SeekFrom::Start(33), SeekFrom::End(1), SeekFrom::Current(1), SeekFrom::End(-33)]
    {
        assert!(matches!(kind_in(file.seek(beyond)), ErrorKind::OutOfBounds { size: 32, .. }));
        assert_eq!(file.stream_position().unwrap(), 32);
    }
    // a write past the end writes nothing and says how much would have fitted
    file.seek(SeekFrom::Start(30)).unwrap();
    let error = file.write(b"abc").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    assert!(
        error.to_string().contains("3 bytes at 30 are not within its 32 bytes (only 2 would be)")
    );
    assert_eq!(
        kind_in(Err::<(), _>(error)),
        ErrorKind::OutOfBounds { at: 30, length: 3, size: 32 }
    );
    assert_eq!(file.stream_position().unwrap(), 30);
    file.read_exact(&mut start[..2]).unwrap();
    assert_eq!(&start[..2], [0, 0]);
    file.seek(SeekFrom::Start(30)).unwrap();
    file.write_all(b"ab").unwrap();
    file.write_all(b"").unwrap(); // nothing fits anywhere
    file.flush().unwrap();
}

#[test]
fn all_three_behave_like_files() {
    let name = TestName::new("file");
    let mut raw = unguarded(&name, 32);
    behaves_like_a_file(&mut raw);
    let end = raw.to_vec(26..);
    assert_eq!(end, b"\0\0\0\0ab");

    let name = TestName::new("file-locked");
    let mut locked = SharedMmap::named(&*name).size(32).open().unwrap();
    behaves_like_a_file(&mut locked.lock().unwrap());
    assert_eq!(locked.lock().unwrap().as_bytes()[26..], end);

    let name = TestName::new("file-rw");
    let mut rw = RwSharedMmap::named(&*name).size(32).open().unwrap();
    behaves_like_a_file(&mut rw.write().unwrap());
    assert_eq!(rw.read().unwrap().as_bytes()[26..], end);
}

#[test]
fn they_behave_like_files_also_in_a_file_and_in_anonymous_memory() {
    let path = TestFile::new("like-a-file");
    behaves_like_a_file(&mut UnsafeSharedMmap::file(&*path).size(32).open().unwrap());
    assert_eq!(std::fs::read(&*path).unwrap()[..13], *b"Hello, World!");
    let mut anonymous = SharedMmap::anonymous().size(32).open().unwrap();
    behaves_like_a_file(&mut anonymous.lock().unwrap());
    let path = TestFile::new("like-a-file-rw");
    behaves_like_a_file(&mut RwSharedMmap::file(&*path).size(32).open().unwrap().write().unwrap());
    behaves_like_a_file(&mut UnsafeSharedMmap::anonymous().size(32).open().unwrap());
}

#[test]
fn lines_and_single_bytes_are_read_and_written() {
    let name = TestName::new("lines");
    let mut raw = unguarded(&name, 300);
    let long = "x".repeat(200);
    raw.write_all(format!("first\n{long}\nrest").as_bytes()).unwrap();
    raw.rewind().unwrap();
    let mut line = Vec::new();
    assert_eq!(raw.read_line(&mut line), 6);
    assert_eq!(raw.read_line(&mut line), 201);
    assert_eq!(line, format!("first\n{long}\n").as_bytes());
    assert_eq!(raw.read_byte(), Some(b'r'));
    assert_eq!(raw.read_line(&mut line), 300 - 208); // to the end, where there is no line feed
    assert_eq!((raw.read_line(&mut line), raw.read_byte()), (0, None));
    let full = raw.write_byte(1).unwrap_err();
    assert_eq!(*full.kind(), ErrorKind::OutOfBounds { at: 300, length: 1, size: 300 });
    raw.seek(SeekFrom::Start(299)).unwrap();
    raw.write_byte(7).unwrap();
    assert_eq!(raw.to_vec(298..), [0, 7]);

    let name = TestName::new("lines-locked");
    let mut locked = RwSharedMmap::named(&*name).size(16).open().unwrap();
    let mut guard = locked.write().unwrap();
    guard.write_all(b"first\nrest").unwrap();
    guard.write_byte(b'!').unwrap();
    drop(guard);
    locked.rewind().unwrap();
    let mut guard = locked.read().unwrap();
    let mut text = String::new();
    assert_eq!(guard.read_line(&mut text).unwrap(), 6);
    assert_eq!((text.as_str(), guard.read_byte()), ("first\n", Some(b'r')));
    let mut line = Vec::new();
    assert_eq!(guard.read_until(b'\n', &mut line).unwrap(), 9);
    assert_eq!((guard.read_byte(), guard.read_until(b'\n', &mut line).unwrap()), (None, 0));
    drop(guard);
    let mut guard = locked.write().unwrap();
    let full = guard.write_byte(1).unwrap_err();
    assert_eq!(*full.kind(), ErrorKind::OutOfBounds { at: 16, length: 1, size: 16 });
}

#[test]
fn bytes_are_found_from_either_end_within_a_range() {
    let name = TestName::new("find");
    let mut raw = unguarded(&name, 16);
    raw.write_all(b"one two one two").unwrap();
    let locked_name = TestName::new("find-locked");
    let mut locked = SharedMmap::named(&*locked_name).size(16).open().unwrap();
    locked.lock().unwrap().write_all(b"one two one two").unwrap();
    let guard = locked.lock().unwrap();
    // What Python's `find(sub, start, end)` and `rfind(sub, start, end)` return for the same.
    for (needle, range, first, last) in [
        (&b"one"[..], 0..16, Some(0), Some(8)),
        (b"one", 1..16, Some(8), Some(8)),
        (b"two", 4..7, Some(4), Some(4)),
        (b"two", 4..6, None, None),
        (b"one", 0..u64::MAX, Some(0), Some(8)),
        (b"one", 20..30, None, None),
        (b"three", 0..16, None, None),
        (b"", 3..9, Some(3), Some(9)),
    ] {
        assert_eq!(raw.find(needle, range.clone()), first, "{needle:?} in {range:?}");
        assert_eq!(raw.rfind(needle, range.clone()), last, "{needle:?} in {range:?}");
        assert_eq!(guard.find(needle, range.clone()), first, "{needle:?} in {range:?}");
        assert_eq!(guard.rfind(needle, range.clone()), last, "{needle:?} in {range:?}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "it is what is tested")]
    let reversed = 9..3;
    assert_eq!((raw.find(b"o", reversed.clone()), guard.rfind(b"o", reversed)), (None, None));
    assert_eq!((raw.find(b"o", ..=8), guard.rfind(b"o", ..=8)), (Some(0), Some(8)));
}

#[test]
fn bytes_are_moved_within_also_where_both_places_overlap() {
    let name = TestName::new("move");
    let mut raw = unguarded(&name, 30);
    raw.write_all(b"0123456789abcdefghijklmnopqrst").unwrap();
    raw.move_within(1, 0, 20).unwrap();
    assert_eq!(raw.to_vec(..), b"00123456789abcdefghijlmnopqrst");
    raw.move_within(0, 1, 20).unwrap();
    assert_eq!(raw.to_vec(..), b"0123456789abcdefghijjlmnopqrst");
    for (to, from, length) in [(20, 0, 11), (0, 20, 11), (31, 0, 0), (0, 1, u64::MAX)] {
        let error = raw.move_within(to, from, length).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutOfBounds { .. }));
    }
    assert_eq!(raw.to_vec(..), b"0123456789abcdefghijjlmnopqrst");

    let name = TestName::new("move-locked");
    let mut locked = SharedMmap::named(&*name).size(8).open().unwrap();
    let mut guard = locked.lock().unwrap();
    guard.write_all(b"01234567").unwrap();
    guard.move_within(2, 0, 6).unwrap();
    assert_eq!(guard.as_bytes(), b"01012345");
    assert!(guard.move_within(3, 0, 6).is_err());
    assert!(guard.move_within(0, 3, 6).is_err());
    assert_eq!(guard.as_bytes(), b"01012345");
    guard.as_bytes_mut()[0] = b'x';
    assert_eq!(guard.as_bytes(), b"x1012345");
}

#[test]
fn a_position_is_its_handles_own_and_needs_no_lock() {
    let name = TestName::new("position");
    let mut a = SharedMmap::named(&*name).size(8).open().unwrap();
    let mut b = SharedMmap::named(&*name).open().unwrap();
    a.lock().unwrap().write_all(b"abcd").unwrap();
    assert_eq!((a.stream_position().unwrap(), b.stream_position().unwrap()), (4, 0));
    let mut text = [0; 2];
    b.lock().unwrap().read_exact(&mut text).unwrap();
    assert_eq!((&text, b.stream_position().unwrap()), (b"ab", 2));
    a.seek(SeekFrom::Start(1)).unwrap();
    a.lock().unwrap().read_exact(&mut text).unwrap(); // the position outlives the guard
    assert_eq!(&text, b"bc");
    assert_eq!((a.len(), a.is_empty(), a.name()), (8, false, &*name));
}

#[test]
fn an_existing_object_is_opened_with_its_own_size() {
    let name = TestName::new("own-size");
    std::fs::write(name.path(), b"from elsewhere").unwrap();
    let raw = UnsafeSharedMmap::named(&*name).open().unwrap();
    assert_eq!((raw.len(), raw.to_vec(..)), (14, b"from elsewhere".to_vec()));
    assert_eq!(unguarded(&name, 5).len(), 14);
    let locked_name = TestName::new("own-size-locked");
    let locked = SharedMmap::named(&*locked_name).size("1K").open().unwrap();
    assert_eq!(SharedMmap::named(&*locked_name).open().unwrap().len(), 1024);
    assert_eq!(SharedMmap::named(&*locked_name).size(5).open().unwrap().len(), 1024);
    let error = SharedMmap::named(&*locked_name).size("2K").open().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("size: region has 1024, this program wants at least 2048"), "{text}");
    drop(locked);
    let replaced = SharedMmap::named(&*locked_name).size("2K").replace(true).open().unwrap();
    assert_eq!(replaced.len(), 2048);
}

#[test]
fn what_does_not_exist_is_created_only_with_a_size() {
    let name = TestName::new("absent");
    for error in [
        UnsafeSharedMmap::named(&*name).open().unwrap_err(),
        SharedMmap::named(&*name).open().unwrap_err(),
        RwSharedMmap::named(&*name).open().unwrap_err(),
        SharedMmap::anonymous().open().unwrap_err(),
    ] {
        assert_eq!(*error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(".size()"), "{error}");
    }
    let error = UnsafeSharedMmap::named(&*name).size("5X").open().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadSize { .. }));
    assert_eq!(UnsafeSharedMmap::named(&*name).size("5K").open().unwrap().to_vec(..), [0; 5120]);
    // A handle without a size may wait for one that has a size.
    let late = TestName::new("late");
    std::thread::scope(|scope| {
        let open = SharedMmap::named(&*late).open_timeout(std::time::Duration::from_secs(5));
        let waiting = scope.spawn(|| open.open().unwrap().len());
        let _created = SharedMmap::named(&*late).size(8).open().unwrap();
        assert_eq!(waiting.join().unwrap(), 8);
    });
}

#[test]
fn an_empty_or_short_object_is_an_error_and_no_bus_error() {
    let path = TestFile::new("suchfoo");
    std::fs::write(&*path, b"").unwrap();
    let error = UnsafeSharedMmap::file(&*path).open().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooShort { needed: 1, found: 0 });
    let error = UnsafeSharedMmap::file(&*path).size(8).open().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("has 0 bytes and 8 are needed"), "{text}");
    assert!(text.contains(".size(8).extend(true)"), "{text}");
    let mut extended = UnsafeSharedMmap::file(&*path).size(8).extend(true).open().unwrap();
    extended.store(&[42i32, 98]).unwrap();
    let error = extended.load::<[i32; 3]>().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooShort { needed: 12, found: 8 });
    let error = extended.store(&[0i32; 3]).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooShort { needed: 12, found: 8 });
    assert_eq!(
        UnsafeSharedMmap::file(&*path).open().unwrap().load::<[i32; 2]>().unwrap(),
        [42, 98]
    );
    // A longer object is not cut.
    assert_eq!(UnsafeSharedMmap::file(&*path).size(4).extend(true).open().unwrap().len(), 8);
    assert!(matches!(
        SharedMmap::file(&*path).size(4).open().unwrap_err().kind(),
        ErrorKind::NotARegion { .. }
    ));
}

#[test]
fn bytes_without_a_lock_are_not_opened_over_a_region() {
    // Others have references into it and do not expect a writer without a lock.
    let name = TestName::new("over");
    let mut shared = SharedMmap::named(&*name).size(16).open().unwrap();
    let guard = shared.lock().unwrap();
    let error = UnsafeSharedMmap::named(&*name).open().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    drop(guard);
    let channel = Channel::<u64>::anonymous().producer().unwrap();
    let descriptor = channel.as_fd().unwrap().try_clone_to_owned().unwrap();
    let error = UnsafeSharedMmap::from_fd(descriptor).open().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
}

#[test]
fn each_kind_of_region_says_what_it_is_to_the_others() {
    let name = TestName::new("kinds");
    let mut state = io_shared::Shared::<u64>::open(&*name).unwrap();
    *state.write().unwrap() = 7;
    for error in [
        SharedMmap::named(&*name).open().unwrap_err(),
        RwSharedMmap::named(&*name).size(1).open().unwrap_err(),
        io_shared::consumer::<u64>(&name).unwrap_err(),
        io_shared::producer::<u64>(&name).unwrap_err(),
    ] {
        assert!(error.to_string().contains("it is typed state"), "{error}");
    }
    drop(state);
    // Nobody is using it, but a producer must not destroy what it keeps.
    let error = io_shared::producer::<u64>(&name).unwrap_err();
    assert!(error.to_string().contains(".replace(true)"), "{error}");
    assert_eq!(io_shared::Shared::<u64>::open(&*name).unwrap().get().unwrap(), 7);
    Channel::<u64>::named(&*name).replace(true).producer().unwrap();
}

#[test]
fn a_message_goes_over_a_socket_as_bytes_and_back() {
    #[derive(Debug, Clone, Copy, PartialEq, Message)]
    #[repr(C)]
    struct Foo {
        bar: i32,
        baz: i32,
    }
    let (mut here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
    let name = TestName::new("socket");
    let mut shared = unguarded(&name, 8);
    shared.store(&Foo { bar: 1, baz: 2 }).unwrap();
    here.write_all(shared.load::<Foo>().unwrap().as_bytes()).unwrap();
    let mut words = [0u64; 1]; // aligned for a Foo
    there.read_exact(bytemuck::bytes_of_mut(&mut words)).unwrap();
    let bytes = bytemuck::bytes_of(&words);
    assert_eq!(*Foo::from_bytes(bytes).unwrap(), Foo { bar: 1, baz: 2 });
    assert!(Foo::from_bytes(&bytes[..7]).is_err());
    assert!(Foo::from_bytes(&bytes[1..]).is_err());
}

#[test]
fn an_array_is_saved_into_and_loaded_from_a_guard_as_from_a_file() {
    use npyz::WriterBuilder;
    let name = TestName::new("npy");
    let mut shared = RwSharedMmap::named(&*name).size("1M").open().unwrap();
    let array = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    let save = |to: &mut dyn Write| {
        let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 3]).writer(to);
        let mut npy = options.begin_nd().unwrap();
        npy.extend(array).unwrap();
        npy.finish().unwrap();
    };
    save(&mut shared.write().unwrap());
    shared.rewind().unwrap();
    // Another handle sees the bytes of a file.
    let mut other = RwSharedMmap::named(&*name).open().unwrap();
    let mut file = Vec::new();
    save(&mut file);
    assert_eq!(&other.read().unwrap().as_bytes()[..file.len()], file);
    let npy = npyz::NpyFile::new(other.read().unwrap()).unwrap();
    assert_eq!(npy.shape(), [2, 3]);
    assert_eq!(npy.into_vec::<f32>().unwrap(), array);
    // For an array that is too large, the error says so and names the size of the memory.
    let mut small = SharedMmap::anonymous().size(16).open().unwrap();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[6]);
    let error = options.writer(small.lock().unwrap()).begin_nd().and_then(|mut npy| {
        npy.extend(array)?;
        npy.finish()
    });
    assert!(error.unwrap_err().to_string().contains("16 bytes"));
}

#[test]
fn a_write_that_needs_no_lock_is_seen_by_all() {
    // The original's basic example: 15 bytes without a line feed are one line.
    let name = TestName::new("my-share");
    let mut shm = unguarded(&name, 15);
    shm.write_all(b"Hello, World!!!").unwrap();
    shm.rewind().unwrap();
    let mut line = Vec::new();
    shm.read_line(&mut line);
    assert_eq!(line, b"Hello, World!!!");
    drop(shm);
    assert_eq!(UnsafeSharedMmap::named(&*name).open().unwrap().to_vec(..), b"Hello, World!!!");
    UnsafeSharedMmap::remove(&*name).unwrap();
    assert_eq!(*UnsafeSharedMmap::remove(&*name).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let name = TestName::new("options");
    let refused = |error: io_shared::Error| matches!(error.kind(), ErrorKind::BadOption { .. });
    assert!(Shared::<u64>::named(&*name).size(3).open().is_err_and(refused));
    assert!(SharedMmap::named(&*name).size(3).extend(true).open().is_err_and(refused));
    let bytes = || UnsafeSharedMmap::named(&*name).size(3);
    assert!(bytes().handles(5).open().is_err_and(refused));
    assert!(bytes().ephemeral(true).open().is_err_and(refused));
    assert!(bytes().replace(true).open().is_err_and(refused));
    assert!(!name.path().exists());
}

#[test]
fn only_what_it_is_removes_a_region() {
    let name = TestName::new("kinds");
    let state = Shared::<u64>::open(&*name).unwrap();
    let mismatch = |error: io_shared::Error| matches!(error.kind(), ErrorKind::Mismatch { .. });
    assert!(io_shared::Channel::remove(&name).is_err_and(mismatch));
    assert!(SharedMmap::remove(&*name).is_err_and(mismatch));
    assert!(UnsafeSharedMmap::remove(&*name).is_err());
    assert!(name.path().exists());
    drop(state);
    Shared::<u64>::remove(&*name).unwrap();
    assert!(!name.path().exists());
}
