"""`gatehouse doctor`: what works on this machine, what does not, and the cure."""

from agent.doctor.chinese import both
from agent.doctor.examine import examine
from agent.doctor.findings import Finding, Level, report
from agent.doctor.running import running

__all__ = ["Finding", "Level", "both", "examine", "report", "running"]
