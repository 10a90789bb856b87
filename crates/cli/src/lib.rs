//! Client commands over the REST API.
//!
//! Everything here speaks HTTP to a pith or Pulp 2 server and knows nothing of the server's insides, nor of any type of
//! content: of `pith-content` it reads words and descriptors, which are data. The binary gives it the [`Families`] that it
//! has, adds [`ClientCommand`] to its own subcommands and [`Globals`] to its options, calls [`run`], and ends with the
//! exit code that it gives. [`mirror()`] is the work behind `pith mirror`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod address;
mod begun;
pub mod client;
mod commands;
mod criteria;
mod csv;
pub mod error;
mod failure;
mod families;
mod globals;
mod hint;
mod login;
mod mirror;
mod options;
pub mod output;
mod private;
pub mod progress;
mod reference;
mod render;
mod settings;
mod text;
mod upload;
mod wait;

pub use address::{is_loopback, parse_url};
pub use client::{Client, Credentials, Proof, Trust};
pub use commands::{ClientCommand, CommandContext, Prompt, command, execute, run};
pub use error::{Error, Exit};
pub use failure::{ErrorAnswer, FailedTask};
pub use families::{Families, NotAType};
pub use globals::{DEFAULT_URL, Globals};
pub use login::default_path as login_file;
pub use mirror::{
    MirrorOptions, Mirrored, client_configuration, derive_repo_id, guess_type, local_folder, mirror,
};
pub use output::{Format, ProgressForm, Ui};
pub use reference::reference;
pub use wait::{check, wait, wait_until};
