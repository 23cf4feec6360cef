//! The settings of a session. They override all settings of its role, its database and its server.

use std::time::Duration;

use super::schema::quoted;

/// How long a peer may leave data unread before the server closes the connection. A stopped engine reads nothing
/// from its sockets, and the server would wait for it with an open snapshot.
const UNREAD: Duration = Duration::from_secs(15);

/// Every statement finds its rows by an index, in a table of any size, and its plan is made once. Without these
/// settings the first plan, made for empty tables, may read whole tables later. Planning each call would take most
/// of the time of a small one.
///
/// These settings alone are not enough. An index can also be read whole, which costs as little as a look-up if
/// statistics say that a table is empty. So no statement joins a table by `=`, which works in either direction. It
/// says `key = ANY (ARRAY[other.key])`, `key = (SELECT ...)`, or has a subquery with `OFFSET 0`. Each of these can
/// only be a look-up by the index. A condition beside the key must not imply that of a partial index, which could
/// be read whole for it. Such a condition stands in a `CASE` or an `OR`. `tests/it/plans.rs` checks the plans of
/// all statements.
const PLANS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_material", "off"),
    ("enable_nestloop", "on"),
    ("enable_indexscan", "on"),
    ("enable_indexonlyscan", "on"),
    ("enable_sort", "on"),
    ("max_parallel_workers_per_gather", "0"),
];

/// Settings that other databases with PostgreSQL's protocol may not know.
const GUARDS: &[(&str, &str)] = &[
    ("idle_session_timeout", "0"),
    ("default_transaction_deferrable", "off"),
    // A policy that hides rows would lose jobs silently. With this setting it is an error.
    ("row_security", "off"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("\"IntervalStyle\"", "postgres"),
];

/// How long a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Session,
    /// The setting holds for one transaction, so that the next user of the session is not affected.
    Transaction,
}

/// The settings that a call needs to be right.
pub(super) fn needed(schema: &str, timeout: Duration, span: Span) -> String {
    let timeout = milliseconds(timeout);
    let needed = [
        // Temporary tables of another user of the session come last in the search path, not first.
        ("search_path", &*format!("{}, pg_temp", quoted(schema))),
        ("statement_timeout", &*timeout),
        ("lock_timeout", "0"),
        // A stopped engine blocks other engines for at most this time.
        ("idle_in_transaction_session_timeout", &*timeout),
        ("default_transaction_isolation", "'read committed'"),
        ("default_transaction_read_only", "off"),
        ("client_encoding", "'UTF8'"),
        ("\"DateStyle\"", "'ISO, MDY'"),
    ];
    set(&needed, span)
}

/// The settings that guard against changed defaults of the database.
pub(super) fn guards(timeout: Duration, span: Span) -> String {
    let local = span == Span::Transaction;
    // PostgreSQL knows this setting since version 17.
    let late = format!(
        "SELECT set_config('transaction_timeout', '0', {local}) \
            WHERE current_setting('transaction_timeout', true) IS NOT NULL"
    );
    [set(GUARDS, span), set(&[("tcp_user_timeout", &milliseconds(UNREAD.min(timeout)))], span), late].join("; ")
}

pub(super) fn plans(span: Span) -> String {
    set(PLANS, span)
}

/// The beginning of a transaction, with the settings that a session of its own has.
pub(super) fn begin(schema: &str, timeout: Duration) -> String {
    let span = Span::Transaction;
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE".to_owned();
    [begin, needed(schema, timeout, span), guards(timeout, span), plans(span)].join("; ")
}

/// Sets the planner back to the settings of the database, for statements about whole tables.
pub(super) fn plans_of_the_database() -> String {
    let defaults: Vec<_> = PLANS.iter().map(|&(name, _)| (name, "DEFAULT")).collect();
    set(&defaults, Span::Transaction)
}

fn set(settings: &[(&str, &str)], span: Span) -> String {
    let verb = match span {
        Span::Session => "SET",
        Span::Transaction => "SET LOCAL",
    };
    let each: Vec<_> = settings.iter().map(|(name, value)| format!("{verb} {name} TO {value}")).collect();
    each.join("; ")
}

/// The time in milliseconds, at least 1: for the server 0 means no limit.
fn milliseconds(time: Duration) -> String {
    time.as_millis().clamp(1, i32::MAX as u128).to_string()
}
