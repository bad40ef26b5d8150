//! Waiting for one of several descriptors, with the precision of the kernel's own timers.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Waits until something can be read. The room for it is kept from one wait to the next.
#[derive(Debug, Default)]
pub struct Poll {
    entries: Vec<libc::pollfd>,
}

impl Poll {
    /// Waits until one of the descriptors can be read, has failed or was closed, but no longer than
    /// `timeout`; for ever with `None`. A signal may end the wait early.
    #[expect(unsafe_code, reason = "ppoll has no safe form in std or socket2")]
    pub fn wait<'a>(
        &mut self,
        descriptors: impl Iterator<Item = BorrowedFd<'a>>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.entries.clear();
        // Borrowed until the end of this function, so that none is closed meanwhile.
        self.entries.extend(descriptors.map(|one| libc::pollfd {
            fd: one.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        }));
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let count = libc::nfds_t::try_from(self.entries.len()).unwrap_or_default();
        // SAFETY: pointer and count are those of the initialised entries, the timeout is read before
        // the call returns, and no mask of signals is given.
        let ready = unsafe {
            libc::ppoll(
                self.entries.as_mut_ptr(),
                count,
                timeout.as_ref().map_or(ptr::null(), ptr::from_ref),
                ptr::null(),
            )
        };
        if ready >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // What the entries say then is nothing.
        self.entries.iter_mut().for_each(|entry| entry.revents = 0);
        if error.kind() == io::ErrorKind::Interrupted {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Whether the descriptor at that place of the last wait can be read.
    pub fn is_ready(&self, place: usize) -> bool {
        self.entries
            .get(place)
            .is_some_and(|entry| entry.revents != 0)
    }
}

/// Has the waits of this thread end when they are due, and not up to 50 µs later so that the kernel
/// can wake several threads at once.
#[expect(unsafe_code, reason = "prctl has no safe form")]
pub fn sharpen_timers() -> io::Result<()> {
    const NANOSECOND: libc::c_ulong = 1;
    // SAFETY: the order takes an integer and concerns this thread alone.
    let result = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, NANOSECOND) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Has this thread run in slices of a tenth of a millisecond, so that it need not wait for the end of
/// others' longer ones when it wakes up: from Linux 6.12 on, without effect before. Its share of the
/// processor stays what it was, and it needs no capability.
#[expect(
    unsafe_code,
    reason = "sched_setattr has no form in libc, let alone a safe one"
)]
pub fn shorten_slices() -> io::Result<()> {
    const NANOSECONDS: u64 = 100_000;
    let size = libc::c_ulong::from(crate::option::length::<libc::sched_attr>());
    // SAFETY: a `sched_attr` is integers, for which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let (this_thread, no_flags): (libc::c_long, libc::c_long) = (0, 0);
    // SAFETY: the kernel writes no more than `size` octets to where the pointer leads.
    let read = unsafe {
        let attributes = &raw mut attributes;
        libc::syscall(
            libc::SYS_sched_getattr,
            this_thread,
            attributes,
            size,
            no_flags,
        )
    };
    attributes.sched_runtime = NANOSECONDS;
    // SAFETY: the kernel reads the structure, whose first field says how long it is.
    let written = unsafe {
        let attributes = &raw const attributes;
        libc::syscall(libc::SYS_sched_setattr, this_thread, attributes, no_flags)
    };
    if read == 0 && written == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
