//! Names with several parts, and domains: what lies where on disk, and who meets whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use io_shared::mmap::{Bytes, BytesMut};
use io_shared::{
    Channel, ErrorKind, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap, consumer, producer,
    remove,
};
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::set_patience;

/// A name with three parts that no other test has, and where it lies without a domain.
fn parts(what: &str) -> (String, PathBuf) {
    set_patience();
    let last = format!("{what}-{}", std::process::id());
    (format!("/test/names/{last}"), Path::new("/dev/shm").join(format!("test%names%{last}")))
}

#[test]
fn a_name_with_slashes_names_a_channel_in_every_call_that_takes_one() {
    let (name, path) = parts("channel");
    let mut put = producer::<u64>(&name).unwrap();
    assert!(path.exists());
    put.put(&7).unwrap();
    assert_eq!(*consumer::<u64>(name.trim_start_matches('/')).unwrap().get().unwrap(), 7);
    let mut observer = Channel::<u64>::named(&name).observer().unwrap();
    assert_eq!(observer.copy().unwrap().as_deref(), Some(&7));
    assert_eq!((put.name(), observer.name()), (&*name, &*name));
    let error = producer::<u64>(&name).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
    remove(&name).unwrap();
    assert!(!path.exists());
    let error = remove(&name).unwrap_err();
    assert_eq!((error.kind(), error.name()), (&ErrorKind::NotFound, &*name));
}

#[test]
fn a_name_with_slashes_names_locked_bytes_and_state() {
    let (name, path) = parts("locked");
    let mut one = SharedMmap::named(&name).size(8).open().unwrap();
    one.lock().unwrap().as_bytes_mut()[0] = 7;
    assert_eq!(SharedMmap::named(&name).open().unwrap().lock().unwrap().as_bytes()[0], 7);
    assert_eq!(one.name(), name);
    assert!(path.exists());
    SharedMmap::remove(&name).unwrap();
    drop(RwSharedMmap::named(&name).size(8).open().unwrap());
    RwSharedMmap::remove(&name).unwrap();
    let mut state = Shared::<u64>::open(&name).unwrap();
    *state.write().unwrap() = 7;
    assert_eq!(Shared::<u64>::open(&name).unwrap().get().unwrap(), 7);
    Shared::<u64>::remove(&name).unwrap();
    assert!(!path.exists());
}

#[test]
fn the_name_of_another_programs_object_is_taken_as_it_is() {
    let (name, path) = parts("object");
    let stored = path.file_name().unwrap().to_str().unwrap();
    std::fs::write(&path, [7; 8]).unwrap();
    let object = UnsafeSharedMmap::named(stored).open().unwrap();
    assert_eq!(object.to_vec(..), [7; 8]);
    assert_eq!(object.name(), format!("/{stored}"));
    let error = UnsafeSharedMmap::named(&name).open().unwrap_err();
    assert!(error.to_string().contains("has a `/` after the first character"), "{error}");
    let error = producer::<u64>(&name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
    UnsafeSharedMmap::remove(stored).unwrap();
    // A channel is no such object, whatever it is called on disk.
    drop(producer::<u64>(&name).unwrap());
    let error = UnsafeSharedMmap::remove(stored).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    remove(&name).unwrap();
}

#[test]
fn puts_a_value_and_locks_bytes_in_its_domain() {
    let Some(arguments) = arguments() else { return };
    let [name, value] = &*arguments else { panic!("a name and a value") };
    let value = value.parse().unwrap();
    let bytes = format!("{name}.bytes");
    let mut put = producer::<u64>(name).unwrap();
    let mut locked = SharedMmap::named(&bytes).size(1).open().unwrap();
    put.put(&value).unwrap();
    locked.lock().unwrap().as_bytes_mut()[0] = value as u8;
    tell("put");
    assert_eq!(hear(), "look");
    assert_eq!(*consumer::<u64>(name).unwrap().get().unwrap(), value);
    assert_eq!(locked.lock().unwrap().as_bytes()[0], value as u8);
    remove(name).unwrap();
    SharedMmap::remove(&bytes).unwrap();
    tell("removed");
}

#[test]
fn the_same_names_in_two_domains_and_in_none_never_meet() {
    let (name, path) = parts("domains");
    let bytes = format!("{name}.bytes");
    let mut own = producer::<u64>(&name).unwrap();
    own.put(&1).unwrap();
    let mut peers: Vec<Peer> = [("left", "2"), ("right", "3")]
        .map(|(domain, value)| {
            let set = format!("IO_SHARED_DOMAIN={domain}");
            Peer::start_under(
                &["env", &set],
                "puts_a_value_and_locks_bytes_in_its_domain",
                &[&name, value],
            )
        })
        .into();
    let stored = path.file_name().unwrap().to_str().unwrap();
    let of = |domain: &str, more: &str| path.with_file_name(format!("{domain}%%{stored}{more}"));
    peers.iter_mut().for_each(|peer| peer.expect("put"));
    for domain in ["left", "right"] {
        assert!(of(domain, "").exists() && of(domain, ".bytes").exists(), "{domain}");
    }
    let error = SharedMmap::named(&bytes).open().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "in no domain there are no such bytes");
    for (mut peer, domain) in peers.into_iter().zip(["left", "right"]) {
        peer.tell("look");
        peer.expect("removed");
        assert!(!of(domain, "").exists() && !of(domain, ".bytes").exists(), "{domain}");
        peer.end();
    }
    assert_eq!(*consumer::<u64>(&name).unwrap().get().unwrap(), 1);
    remove(&name).unwrap();
}

#[test]
fn opens_everything_in_a_bad_domain() {
    let Some(arguments) = arguments() else { return };
    let [name, said, object] = &*arguments else { panic!("a name, a text and an object") };
    for error in [
        producer::<u64>(name).unwrap_err(),
        consumer::<u64>(name).unwrap_err(),
        Channel::<u64>::named(name).open_timeout(Duration::ZERO).observer().unwrap_err(),
        remove(name).unwrap_err(),
        SharedMmap::named(name).size(1).open().unwrap_err(),
        Shared::<u64>::open(name).unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::BadName { .. }), "{error}");
        let start = format!("`{said}` cannot be a name: IO_SHARED_DOMAIN is set to it");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
    // What lies in no domain is not affected.
    drop(Channel::<u64>::anonymous().producer().unwrap());
    drop(UnsafeSharedMmap::named(object).size(8).open().unwrap());
    UnsafeSharedMmap::remove(object).unwrap();
    tell("refused");
}

#[test]
fn a_bad_domain_is_a_typed_error_when_something_is_opened() {
    let (name, path) = parts("bad-domain");
    let object = format!("/test-names-object-{}", std::process::id());
    for (domain, said) in
        [("a/b", "a/b"), ("a%b", "a%b"), (".hidden", ".hidden"), ("a\nb", "a\\nb")]
    {
        let set = format!("IO_SHARED_DOMAIN={domain}");
        let role = "opens_everything_in_a_bad_domain";
        let mut peer = Peer::start_under(&["env", &set], role, &[&name, said, &object]);
        peer.expect("refused");
        peer.end();
    }
    assert!(!path.exists());
    let mut peer = Peer::start_under(
        &["env", "IO_SHARED_DOMAIN="],
        "puts_a_value_and_locks_bytes_in_its_domain",
        &[&name, "1"],
    );
    peer.expect("put");
    assert!(path.exists(), "an empty domain is none");
    peer.tell("look");
    peer.expect("removed");
    peer.end();
}
