//! Questions to the view.
