//! What waits to be polled.

use std::collections::VecDeque;

use crate::{Frame, Output};

/// Frames that may wait. The driver polls until nothing is left after each input, so that one
/// burst of announcements and a reply is the most that is ever here.
const FRAMES: usize = 256;

/// Outputs in the order in which they arose. Frames are bounded, because the segment's other
/// stations can make us send them; the rest arises from our own desired set alone.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    frames: usize,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            queue: VecDeque::with_capacity(FRAMES),
            frames: 0,
        }
    }

    /// Whether so many more frames find room.
    pub(crate) fn has_room_for(&self, frames: u32) -> bool {
        self.frames + frames as usize <= FRAMES
    }

    /// Queues a frame; false if it had to be dropped.
    pub(crate) fn transmit(&mut self, frame: Frame) -> bool {
        let fits = self.has_room_for(1);
        if fits {
            self.queue.push_back(Output::Transmit(frame));
            self.frames += 1;
        }
        fits
    }

    /// Queues anything but a frame.
    pub(crate) fn push(&mut self, output: Output) {
        debug_assert!(!matches!(output, Output::Transmit(_)), "frames are counted");
        self.queue.push_back(output);
    }

    /// What the next output may cost in memory; for tests that nothing grows.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        let output = self.queue.pop_front()?;
        if matches!(output, Output::Transmit(_)) {
            self.frames -= 1;
        }
        Some(output)
    }
}
