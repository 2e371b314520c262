#!/usr/bin/env python3
"""The same in Flower's simulator: flower.py FOLDER ROUNDS run|start, by `run_simulation` or by `start_simulation`."""
import os

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
from task import CHECKED, CLIENTS, ROWS, Clock, Data, arguments

from flower_client import step

import flwr
import torch
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays

folder, rounds, way = arguments()
folder = folder.resolve()
ACTOR = {"num_cpus": 1, "num_gpus": 0.0}  # two at once on two cores
clock = Clock(folder, f"flower-{way}")


def start():
    return [w.detach().numpy() for w in Data(folder).model().parameters()]


def run_simulation():
    from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import ServerApp
    from flwr.serverapp.strategy import FedAvg
    client_app, server_app = ClientApp(), ServerApp()

    @client_app.train()
    def train(message, context):
        arrays = step(folder, int(context.node_config["partition-id"]), message.content["arrays"].to_numpy_ndarrays())
        return Message(RecordDict({"arrays": ArrayRecord(arrays), "metrics": MetricRecord({"num-examples": ROWS})}),
                       reply_to=message)

    class Watched(FedAvg):
        def aggregate_train(self, server_round, replies):
            result = super().aggregate_train(server_round, replies)
            clock.tick(lambda: result[0].to_numpy_ndarrays())
            return result

    @server_app.main()
    def main(grid, context):
        Watched(fraction_evaluate=0.0, min_train_nodes=CLIENTS, min_available_nodes=CLIENTS).start(
            grid, initial_arrays=ArrayRecord(start()), num_rounds=CHECKED + rounds)

    flwr.simulation.run_simulation(server_app, client_app, CLIENTS, backend_config={"client_resources": ACTOR})


def start_simulation():
    class Client(flwr.client.NumPyClient):
        def __init__(self, number):
            self.number = number

        def fit(self, parameters, config):
            return step(folder, self.number, parameters), ROWS, {}

    class Watched(flwr.server.strategy.FedAvg):
        def aggregate_fit(self, server_round, results, failures):
            result = super().aggregate_fit(server_round, results, failures)
            clock.tick(lambda: parameters_to_ndarrays(result[0]))
            return result

    flwr.simulation.start_simulation(
        client_fn=lambda context: Client(int(context.node_config["partition-id"])).to_client(), num_clients=CLIENTS,
        config=flwr.server.ServerConfig(num_rounds=CHECKED + rounds), client_resources=ACTOR,
        strategy=Watched(fraction_evaluate=0.0, min_fit_clients=CLIENTS, min_available_clients=CLIENTS,
                         initial_parameters=ndarrays_to_parameters(start())))


{"run": run_simulation, "start": start_simulation}[way]()
clock.report(f"Flower {flwr.__version__}, PyTorch {torch.__version__}")
