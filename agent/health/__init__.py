"""How the gateway is: read from the kernel, judged, told to the centre and to Prometheus."""

from agent.health.watch import HealthWatch

__all__ = ["HealthWatch"]
