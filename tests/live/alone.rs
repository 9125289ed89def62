//! What disturbs the whole cluster, each test while no other runs. CI runs these before the others,
//! which would have to wait for each of them.

mod away;
mod gaps;
