# SPDX-License-Identifier: Apache-2.0
# The program of the sample recording: a training step of a small network under torch.compile.
# `python train.py` is the run "warm-up"; `EPILOGUE_FUSION=0 python train.py` the run "after-change".
import os

import torch

if os.environ.get("EPILOGUE_FUSION") == "0":
    import torch._inductor.config

    torch._inductor.config.epilogue_fusion = False


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(16, 32)
        self.second = torch.nn.Linear(32, 4)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def main():
    torch.manual_seed(0)
    net = torch.compile(Net())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.randn(8, 16), torch.randn(8, 4)
    for step in range(3):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")


main()
