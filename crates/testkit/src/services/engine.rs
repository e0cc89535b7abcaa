//! Docker and containerd daemons with directories and sockets of their own.
