//! The dashboard of a busy merchant in a browser: every page, what is wrong with one, and a sheet of pictures.

mod busy;
mod faults;
mod sheet;
mod tour;

pub use busy::{Busy, sign_up};
pub use faults::{Faults, axe};
pub use sheet::contact_sheet;
pub use tour::{Stop, Tour};
