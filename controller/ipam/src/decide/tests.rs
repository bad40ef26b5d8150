//! Each rule of [`decide`], by what it answers.

mod adoption;
mod automatic;
mod families;
mod keeping;
mod requests;
