"""A small streaming server that restarts as docs of such servers promise, and on demand lies.

``python -m tests.clusters.minichronik --node-id 1 --listen HOST:PORT --etcd URL --peers 1=…,2=…``

1. A partition has a leader, an epoch and in-sync replicas; etcd keeps them, and every change is a
   compare-and-swap. A lease in etcd says which nodes are alive.
2. A write goes to the leader's log. Followers fetch from the leader and tell with each question how
   far they are: what all in-sync replicas have is committed, and only then acknowledged.
3. The leader takes out of the in-sync replicas who does not ask any more, and puts in who has
   reached its end. With fewer of them than ``--min-isr`` it takes no writes.
4. Whose leader is gone is led by nobody until one of the living in-sync replicas, the one with the
   longest log, makes itself the leader, in a new epoch. Entries know the epoch they were written
   in, so that a follower finds what it has to drop.
5. Logs are in the process's memory and go to disk when told to: in the third stage of an orderly
   stop, and every ``--flush-every`` seconds. What is killed forgets the rest: killing all replicas
   loses acknowledged writes.
6. SIGTERM drains, hands over every leadership, writes the logs and ends.

"The document" is Chronik's guide to rolling restarts: its endpoints, stages, limits, figures and
words are those here. "The real server" answers other paths in truth; those are here as well.
"""
