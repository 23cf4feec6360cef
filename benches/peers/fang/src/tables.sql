-- The tables that fang's SQLite backend expects.
create table fang_tasks (
    id blob not null primary key,
    metadata text not null,
    error_message text,
    state text check (state in ('new', 'in_progress', 'failed', 'finished', 'retried')) not null default 'new',
    task_type text not null default 'common',
    uniq_hash char(64),
    retries integer not null default 0,
    scheduled_at integer not null default (unixepoch('now')),
    created_at integer not null default (unixepoch('now')),
    updated_at integer not null default (unixepoch('now'))
);
create index fang_tasks_state_index on fang_tasks (state);
create index fang_tasks_type_index on fang_tasks (task_type);
create index fang_tasks_scheduled_at_index on fang_tasks (scheduled_at);
create index fang_tasks_uniq_hash on fang_tasks (uniq_hash);
