//! Seccomp filters: system calls that return an error, or falsely succeed.

/// A call to refuse: its number and, if given, the value of its second argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call(pub(crate) libc::c_long, pub(crate) Option<u32>);

/// FUTEX_WAIT_BITSET on words that other processes share.
pub(crate) const FUTEX_WAIT: Call =
    Call(libc::SYS_futex, Some(libc::FUTEX_WAIT_BITSET.cast_unsigned()));
pub(crate) const FUTEX_WAITV: Call = Call(libc::SYS_futex_waitv, None);
pub(crate) const THREADS: [Call; 2] = [Call(libc::SYS_clone3, None), Call(libc::SYS_clone, None)];
pub(crate) const NANOSLEEP: [Call; 2] =
    [Call(libc::SYS_clock_nanosleep, None), Call(libc::SYS_nanosleep, None)];
/// ARM has no poll(2): its C library calls ppoll(2).
#[cfg(target_arch = "x86_64")]
const SYS_POLL: libc::c_long = libc::SYS_poll;
#[cfg(not(target_arch = "x86_64"))]
const SYS_POLL: libc::c_long = libc::SYS_ppoll;
pub(crate) const POLL: [Call; 2] = [Call(SYS_POLL, None), Call(libc::SYS_ppoll, None)];

/// Makes each of `calls` return `errno` (0: success) in this thread and those it starts.
pub(crate) fn refuse(calls: &[Call], errno: i32) {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // Skips `skip` statements unless the loaded value is `k`.
    let unless = |k: u32, skip: u8| libc::sock_filter { jf: skip, ..statement(EQUAL, k) };
    let refused = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32);
    let mut filter = Vec::new();
    for Call(number, second) in calls {
        // The number of the call is the first word of seccomp_data; its arguments begin at 16.
        filter.push(statement(LOAD, 0));
        match second {
            Some(second) => filter.extend([
                unless(*number as u32, 3),
                statement(LOAD, 24),
                unless(*second, 1),
                refused,
            ]),
            None => filter.extend([unless(*number as u32, 1), refused]),
        }
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: it takes numbers only.
    let no_new = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(no_new, 0);
    // SAFETY: the program and its filter live through the call, which copies them.
    let installed =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(installed, 0, "{}", std::io::Error::last_os_error());
}
