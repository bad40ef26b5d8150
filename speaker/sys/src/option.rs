//! Socket options for which neither std nor socket2 nor tokio has a call.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use libc::c_int;

/// Sets one option. `T` is what the kernel reads for it: an integer, or a structure of its ABI.
#[expect(
    unsafe_code,
    reason = "setsockopt has no safe form for the options that are set here"
)]
pub(crate) fn set<T>(
    socket: &impl AsRawFd,
    level: c_int,
    option: c_int,
    value: &T,
) -> io::Result<()> {
    let length = length::<T>();
    // SAFETY: the descriptor is open as long as `socket` is borrowed; pointer and length are
    // those of one initialised `T`, which the kernel copies before it returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The size of a structure as the kernel takes it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the structures handed to the kernel have some hundred bytes"
)]
pub(crate) const fn length<T>() -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}
