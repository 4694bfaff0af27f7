"""A bound that no scheduler can beat: the same requests on a relaxed box that has to do less.

One machine as fast as all slots of the real box together, which may interrupt work at no cost and on which every model is
loaded once the first load is over (until the box is restarted: then there is one more). Whatever a real schedule does, it can
do too, so what is best there is never worse than what is best here. On it, least remaining work first gives the least mean time
(Schrage 1968), and order of arrival the least longest one. For a closed loop, whose arrivals depend on the answers: a request's
own time on an empty box.
"""

import heapq

from workloads import ALPHA, LOAD_S, TOKENS_PER_S


def own_s(call):
    # the first token comes as soon as the prompt is done
    return (call.tokens - 1) / TOKENS_PER_S


def speed(slots):
    return max(b / (1 + ALPHA * (b - 1)) for b in range(1, slots + 1))


def _speed_of(box):
    return speed(max(each["num_parallel"] for each in box["models"]))


def _latencies(calls, rates, first_load, by_remaining):
    """Latency of each call on one interruptible machine; `rates`: [(from when, how fast)]."""
    order = sorted(calls, key=lambda call: call.at)
    now = order[0].at + first_load
    waiting, done, following = [], [], 0
    while waiting or following < len(order):
        while following < len(order) and order[following].at <= now:
            call = order[following]
            heapq.heappush(waiting, [own_s(call) if by_remaining else following, following, own_s(call), call])
            following += 1
        if not waiting:
            now = order[following].at
            continue
        item = waiting[0]
        rate = [speed for since, speed in rates if since <= now][-1]
        arrival = order[following].at if following < len(order) else float("inf")
        until = min([since for since, _ in rates if since > now] + [arrival])
        if rate and now + item[2] / rate <= until:
            heapq.heappop(waiting)
            now += item[2] / rate
            # nobody's own work goes faster than on an empty box
            done.append(max(now - item[3].at, own_s(item[3])))
        else:
            item[2] -= (until - now) * rate
            if by_remaining:
                heapq.heapreplace(waiting, [item[2]] + item[1:])
            now = until
    return done


def of(workload):
    """{"mean_s", "max_s", "wait_s", "loads"} of the relaxed box."""
    calls = workload.calls()
    keys = {(call.model, call.num_ctx) for call in calls}
    if any(call.at is None for call in calls):
        mean = sum(own_s(call) for call in calls) / len(calls)
        return {"mean_s": mean, "max_s": LOAD_S + max(map(own_s, calls)), "wait_s": 0.0, "loads": len(keys)}
    rates = [(0.0, _speed_of(workload.box))]
    if workload.change:
        # the box that takes its place has nothing loaded
        rates.append((workload.change[0], 0.0))
        rates.append((workload.change[0] + LOAD_S, _speed_of(workload.change[1])))
    best = _latencies(calls, rates, LOAD_S, True)
    fair = _latencies(calls, rates, LOAD_S, False)
    mean = sum(best) / len(best)
    computed = sum(map(own_s, calls)) / len(calls)
    return {"mean_s": mean, "max_s": max(fair), "wait_s": max(0.0, mean - computed), "loads": len(keys)}
