//! The report of the example `evaluate`. Its tests live beside it; an example's own are not run by default.

#[path = "../examples/evaluate"]
mod evaluate {
    mod report;
}
