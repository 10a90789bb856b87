//! comps.xml: groups, categories, environments, language packs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_content::Bent;
use pith_type_rpm::metadata::comps;

fuzz_target!(|bytes: &[u8]| {
    let _ = comps::each(|| Ok(bytes), &Bent::default(), |_| Ok(()));
});
