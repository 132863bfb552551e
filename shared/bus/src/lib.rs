//! JetStream as DSOM uses it: declared streams, awaited acknowledgements, fences, rebuilt consumers.
