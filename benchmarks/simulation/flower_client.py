"""What a client of flower.py does, in a module that Ray's actors import: data and model stay in the process."""
from functools import lru_cache

from task import RATE, Data

import torch


@lru_cache(None)
def of_this_process(folder):
    torch.set_num_threads(1)
    data = Data(folder)
    return data, data.model()


def step(folder, client, arrays):
    data, model = of_this_process(folder)
    with torch.no_grad():
        for w, new in zip(model.parameters(), arrays):
            w.copy_(torch.from_numpy(new))
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    optimiser.zero_grad(set_to_none=True)
    torch.nn.functional.cross_entropy(model(data.x[client]), data.y[client]).backward()
    optimiser.step()
    return [w.detach().numpy() for w in model.parameters()]
