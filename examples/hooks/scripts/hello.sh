#!/bin/bash
echo "Hello from the task itself"
