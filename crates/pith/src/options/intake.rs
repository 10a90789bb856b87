//! Options that say how much of what others send is taken, and how long they are waited for.

use std::time::Duration;

use clap::Args;
use pith_pulp::uploads::UploadQuota;

use super::units::{Span, size};

/// Limits on uploads and feeds.
#[derive(Debug, Clone, Args)]
pub(crate) struct IntakeOptions {
    /// Room for the uploads of a user who is no super-user, such as `100G`: more is refused
    #[arg(
        long,
        env = "PITH_UPLOAD_QUOTA",
        value_name = "SIZE",
        value_parser = size,
        default_value = "100G"
    )]
    upload_quota: u64,
    /// Room for the uploads of all users together
    #[arg(
        long,
        env = "PITH_UPLOADS_QUOTA",
        value_name = "SIZE",
        value_parser = size,
        default_value = "1T"
    )]
    uploads_quota: u64,
    /// Bytes a second that a feed must send, over a minute: a slower transfer is broken off and tried again
    #[arg(
        long,
        env = "PITH_FEED_MIN_SPEED",
        value_name = "SIZE",
        value_parser = size,
        default_value = "1K"
    )]
    pub(crate) feed_min_speed: u64,
    /// Longest time for one file of a feed, over all its mirrors
    #[arg(
        long,
        env = "PITH_FEED_FILE_TIMEOUT",
        value_name = "SPAN",
        default_value = "12h"
    )]
    feed_file_timeout: Span,
    /// Longest time for a sync, a download of a repository, and whatever else depends on feeds
    #[arg(
        long,
        env = "PITH_FEED_TASK_TIMEOUT",
        value_name = "SPAN",
        default_value = "3d"
    )]
    feed_task_timeout: Span,
}

impl IntakeOptions {
    pub(crate) fn uploads(&self) -> UploadQuota {
        UploadQuota {
            own: self.upload_quota,
            all: self.uploads_quota,
        }
    }

    pub(crate) fn feed_file(&self) -> Duration {
        self.feed_file_timeout.0.unsigned_abs()
    }

    pub(crate) fn feed_task(&self) -> Duration {
        self.feed_task_timeout.0.unsigned_abs()
    }
}
