//! The distributor that sends a repository to another machine (pulp2/rsync).

use pith_content::rsync::{Layout, RsyncDistributor};

use crate::plugins::RPM_RSYNC_DISTRIBUTOR;
use crate::publish;
use crate::type_ids::{DRPM, RPM, SRPM};

/// The rsync distributor of packages.
pub static DISTRIBUTOR: RsyncDistributor = RsyncDistributor {
    descriptor: &RPM_RSYNC_DISTRIBUTOR,
    layout: &Layout {
        types: &[RPM, SRPM, DRPM],
        steps: [
            "Unit query step (rpm, drpm, srpm)",
            "Rsync step (origin)",
            "Rsync step (content)",
            "Rsync step (repodata)",
        ],
        unnamed: (
            "RPM1010",
            "RPMRsyncDistributor requires a predistributor to be configured.",
        ),
        documents: "repodata",
        is_last: publish::is_entrance,
    },
};
