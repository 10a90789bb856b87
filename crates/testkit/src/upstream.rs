//! A fake upstream over real sockets, with faults on order.
