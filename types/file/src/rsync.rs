//! The distributor that sends a repository to another machine (pulp2/rsync).

use pith_content::PluginDescriptor;
use pith_content::rsync::{Layout, RsyncDistributor, SETTINGS};

use crate::ISO;
use crate::metadata::manifest;

/// The distributor `iso_rsync_distributor`.
pub(crate) static DISTRIBUTOR: RsyncDistributor = RsyncDistributor {
    descriptor: &PluginDescriptor {
        id: "iso_rsync_distributor",
        display_name: "ISO Rsync Distributor",
        types: &[ISO.id],
        platform: &[SETTINGS],
        own: &[],
    },
    layout: &Layout {
        types: &[ISO.id],
        steps: [
            "Unit query step (ISO)",
            "Rsync step (content units)",
            "Rsync step (symlinks)",
            "Rsync step (PULP_MANIFEST)",
        ],
        unnamed: (
            "RPM1011",
            "ISORsyncDistributor requires a predistributor to be configured.",
        ),
        documents: manifest::NAME,
        is_last: |_| true,
    },
};
