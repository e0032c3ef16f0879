//! What a file's name says about its source and its period.
