//! The lake through its public API, on real files in a temporary folder.

mod common;
mod compare;
mod evidence;
mod statements;
mod view;
mod write;
