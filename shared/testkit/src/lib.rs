//! Test only: starts nats-server, services and the mesh on free ports.
