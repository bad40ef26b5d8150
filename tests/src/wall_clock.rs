//! A wall clock that jumps for one process alone: libfaketime stands before the C library. Its
//! other clocks, and what files say of their age, go on as they are.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The loader puts this machine's folder of libraries for `$LIB`.
const LIBRARY: &str = "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1";

/// The wall clock of a process that was started with it.
#[derive(Debug)]
pub struct WallClock {
    /// Read anew at each look at the clock.
    file: PathBuf,
}

impl WallClock {
    /// A clock that is right.
    pub(crate) fn new(file: PathBuf) -> Result<Self> {
        let clock = Self { file };
        clock.jump(0)?;
        Ok(clock)
    }

    /// From now on it is that many seconds ahead.
    pub fn jump(&self, ahead: i64) -> Result<()> {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{ahead:+}"))
            .and_then(|()| fs::rename(&new, &self.file))
            .with_context(|| format!("writing {}", self.file.display()))
    }

    /// The arguments of `env` before a program that is to have this clock.
    pub(crate) fn variables(&self) -> Vec<String> {
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display());
        let fixed = [
            LIBRARY,
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "NO_FAKE_STAT=1",
        ];
        let fixed = fixed.map(str::to_owned).into_iter();
        fixed.chain([file]).collect()
    }
}
