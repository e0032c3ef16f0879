//! The lake through its public API, on real files in a temporary folder.

mod common;
mod view;
mod write;
