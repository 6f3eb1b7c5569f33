"""Train while the page looks on: the real Trainer in a thread of its own, and what it shows.

`starting.begin` builds the run; `LiveTraining` trains it, and takes commands between two batches;
the page sees a `Mirror` of its weights, which is renewed as often as a `Budget` allows. The
training itself does not depend on any of it: the weights are those of ``pellucid train``, bit for
bit.
"""
