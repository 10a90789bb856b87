//! The demonstration type of the test kit, served by a whole server: what a type can declare, seen from outside.

mod binders;
mod files;
mod jobs;
mod predistributed;
mod removal;
mod roots;
mod routes;
pub(crate) mod scene;

/// Makes of each async function two tests, one a database.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::demonstration::scene::On::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::demonstration::scene::On::Postgres).await; })+
        }
    };
}
use on_both;
