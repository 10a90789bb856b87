//! The store suite: every test runs on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod changes;
mod content;
mod criteria;
mod fences;
mod file_lists;
mod fixture;
mod generations;
mod groups;
mod listings;
mod outlines;
mod people;
mod publications;
mod repositories;
mod retired;
mod schedules;
mod schema;
mod secrets;
mod signing_keys;
mod small;
mod sources;
mod staging;
mod streams;
mod tasks;
mod tasks_property;
mod units;

/// Runs each of these functions on both engines, as `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::fixture::Fixture::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    if let Some(fixture) = crate::fixture::Fixture::postgres().await {
                        super::$name(fixture).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use on_both_engines;
