//! Exact money.
//!
//! [`Amount`] is what a charge carries from file to statement: a decimal with eighteen places, never a
//! float. [`Minor`] is what is posted: whole minor units (cents) of one [`Currency`]. The one way from
//! the first to the second is [`round`](Amount::round) for a single figure and [`post`] for the lines of
//! a statement, which together must add up. Start reading in `amount.rs`, then `post.rs`.

mod amount;
mod currency;
mod minor;
mod post;
mod product;

pub use amount::{Amount, ParseAmountError, Parsed};
pub use currency::{Currency, CurrencyCode, UnknownCurrency, grouped};
pub use minor::Minor;
pub use post::{Bound, post, post_to, split};
