"""`gatehouse doctor`: what works on this machine, what does not, and the cure."""

from agent.doctor.examine import examine
from agent.doctor.findings import Finding, Level, report
from agent.doctor.running import running

__all__ = ["Finding", "Level", "examine", "report", "running"]
