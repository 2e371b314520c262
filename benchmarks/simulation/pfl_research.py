#!/usr/bin/env python3
"""The same in pfl-research: pfl_research.py FOLDER ROUNDS PROCESSES; each of two processes is told its rank."""
from importlib.metadata import version

from task import CHECKED, CLIENTS, RATE, ROWS, Clock, Data, arguments

import torch

from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.hyperparam import NNTrainHyperParams
from pfl.internal.ops import pytorch_ops
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel

folder, rounds, processes = arguments()
torch.set_num_threads(1)
data = Data(folder)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = data.model()

    def loss(self, x, y):
        return torch.nn.functional.cross_entropy(self.layers(x), y)

    def metrics(self, x, y):
        return {}


class Watch(TrainingProcessCallback):
    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
        if pytorch_ops.distributed.global_rank == 0:
            clock.tick(lambda: [w.detach() for w in network.parameters()])
        return False, Metrics()


network = Network()
clock = Clock(folder, f"pfl-{processes}")
users = iter(range(10**9))
clients = FederatedDataset(lambda user: Dataset((data.x[user], data.y[user])), lambda: next(users) % CLIENTS)
model = PyTorchModel(network, torch.optim.SGD, torch.optim.SGD(network.parameters(), lr=1.0))
FederatedAveraging().run(
    NNAlgorithmParams(central_num_iterations=CHECKED + rounds, evaluation_frequency=10**9, train_cohort_size=CLIENTS,
                      val_cohort_size=None),
    SimulatedBackend(clients, clients), model,
    NNTrainHyperParams(local_num_epochs=1, local_learning_rate=RATE, local_batch_size=ROWS),
    callbacks=[Watch()], send_metrics_to_platform=False)
if pytorch_ops.distributed.global_rank == 0:
    clock.report(f"pfl-research {version('pfl')}, PyTorch {torch.__version__}")
