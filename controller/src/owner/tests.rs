//! Events in, effects out, against an API server of a few lines that keeps what it is told.

mod configuration;
mod conflicts;
mod leading;
mod leaving;
mod passwords;
mod peers;
mod profiles;
mod release;
mod settlement;
mod world;
