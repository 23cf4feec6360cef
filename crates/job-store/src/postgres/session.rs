//! The settings of a session. They override all settings of its role, its database and its server.

use std::time::Duration;

use super::schema::quoted;

/// How long a peer may leave data unread before the server gives it up. An engine that is stopped takes nothing from
/// its sockets, and the server would wait for it with an open snapshot.
const UNREAD: Duration = Duration::from_secs(15);

/// Every statement here finds its rows by an index, in a table of any size; a plan is made once. Without this setting
/// the first plan, of tables that are empty yet, might read the whole of them. Most of a small call's time would go
/// into planning.
///
/// That alone is not enough. An index can be read whole as well, and where statistics say that a table is empty that
/// costs as little as a look-up. So no statement joins a table by `=`, which can be done in either direction. It says
/// `key = ANY (ARRAY[other.key])`, `key = (SELECT ...)`, or has a subquery with `OFFSET 0`. Each of these can only be
/// a look-up by the index. Nor does a condition beside the key imply that of a partial index, which could be read
/// whole for it. Such a condition stands in a `CASE` or an `OR`. `tests/it/plans.rs` looks at the plans of all
/// statements.
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

/// Settings that databases which only speak the protocol of PostgreSQL may not know.
const GUARDS: &[(&str, &str)] = &[
    ("idle_session_timeout", "0"),
    ("default_transaction_deferrable", "off"),
    // Rows that a policy hides would be jobs that are lost silently.
    ("row_security", "off"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("\"IntervalStyle\"", "postgres"),
];

/// How long a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Session,
    /// Nothing of it is left for the next user of the session.
    Transaction,
}

/// Without these a call is not what it has to be.
pub(super) fn needed(schema: &str, timeout: Duration, span: Span) -> String {
    let timeout = milliseconds(timeout);
    let needed = [
        // Tables that another user of the session has made for itself come last, not first.
        ("search_path", &*format!("{}, pg_temp", quoted(schema))),
        ("statement_timeout", &*timeout),
        ("lock_timeout", "0"),
        // An engine that is stopped in the middle delays no other for longer.
        ("idle_in_transaction_session_timeout", &*timeout),
        ("default_transaction_isolation", "'read committed'"),
        ("default_transaction_read_only", "off"),
        ("client_encoding", "'UTF8'"),
        ("\"DateStyle\"", "'ISO, MDY'"),
    ];
    set(&needed, span)
}

/// Without these it is so only where the defaults are unchanged.
pub(super) fn guards(timeout: Duration, span: Span) -> String {
    let local = span == Span::Transaction;
    // Not known before PostgreSQL 17.
    let late = format!(
        "SELECT set_config('transaction_timeout', '0', {local}) \
            WHERE current_setting('transaction_timeout', true) IS NOT NULL"
    );
    [set(GUARDS, span), set(&[("tcp_user_timeout", &milliseconds(UNREAD.min(timeout)))], span), late].join("; ")
}

pub(super) fn plans(span: Span) -> String {
    set(PLANS, span)
}

/// Begins a transaction that brings along what a session of the store's own would be set to.
pub(super) fn begin(schema: &str, timeout: Duration) -> String {
    let span = Span::Transaction;
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE".to_owned();
    [begin, needed(schema, timeout, span), guards(timeout, span), plans(span)].join("; ")
}

/// The planner as the database has it, for statements about whole tables.
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

/// As the server takes it: at least one, because nought is none.
fn milliseconds(time: Duration) -> String {
    time.as_millis().clamp(1, i32::MAX as u128).to_string()
}
